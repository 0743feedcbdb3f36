import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import {
  type FetchedPost,
  type MediaTools,
  type PostId,
  type ProbedMedia,
  type Storage,
  UnrecoverableError,
} from "@clipmill/domain";
import { SNIFF_BYTES, sniffMedia } from "../../media/sniff-media.ts";
import { type DetailOptions, findDetail } from "./find-detail.ts";
import { toBareImport, toImport } from "./import-detail.ts";

export interface ImportFileOptions extends DetailOptions {
  /** As the user gave it; relative to the working directory. */
  path: string;
  storage: Storage;
  media: MediaTools;
  signal: AbortSignal;
  maxBytes: number;
}

/**
 * Takes a user's own media file, with its JSON detail if there is one (see `findDetail`).
 * Save what it returns with `ImportStore`, where the file source finds it. Throws UnrecoverableError:
 * `invalid_request` for a file that is missing, unreadable or not regular, and for a detail that was named and is none;
 * `unsupported` for what is no media; `corrupt_media`, `no_content`, `too_large`.
 */
export async function importFile(
  options: ImportFileOptions,
): Promise<{ postId: PostId; fetched: FetchedPost }> {
  const { storage, signal, maxBytes } = options;
  const path = resolve(options.path);
  const name = basename(path);
  await checkFile(path, { shown: options.path, maxBytes });
  const detail = await findDetail(path, options);
  const { hasAudio, hasVideo } = await probe(path, options);
  if (!hasAudio && !hasVideo) {
    throw new UnrecoverableError("no_content", `${name} holds neither audio nor video`);
  }
  const { sha256 } = await storage.write("media", createReadStream(path), { signal, maxBytes });
  const fetched = detail === null ? toBareImport(sha256) : toImport(detail, sha256);
  return { postId: fetched.post.postId, fetched };
}

/** What only ffmpeg could know, and does not, is of another kind and not broken. */
async function probe(
  path: string,
  { media, signal, path: shown }: ImportFileOptions,
): Promise<ProbedMedia> {
  try {
    return await media.probe(path, { signal });
  } catch (error) {
    const isOfOtherKind =
      error instanceof UnrecoverableError &&
      error.code === "corrupt_media" &&
      sniffMedia(await readHead(path))?.name === "other";
    throw isOfOtherKind ? toNoMedia(shown, error) : error;
  }
}

async function checkFile(
  path: string,
  { shown, maxBytes }: { shown: string; maxBytes: number },
): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw toUnreadable(shown, cause);
  });
  // A FIFO or a device would block for ever, or never end.
  if (!found.isFile())
    throw new UnrecoverableError("invalid_request", `not a regular file: ${shown}`);
  if (found.size === 0)
    throw new UnrecoverableError("corrupt_media", `the file is empty: ${shown}`);
  if (found.size > maxBytes) {
    throw new UnrecoverableError(
      "too_large",
      `the file is over the limit of ${maxBytes} bytes: ${shown}`,
    );
  }
  const head = await readHead(path).catch((cause: unknown) => {
    throw toUnreadable(shown, cause);
  });
  if (sniffMedia(head) === null) throw toNoMedia(shown);
}

function toNoMedia(shown: string, cause?: unknown): UnrecoverableError {
  const known = "MP4, MOV, WebM, MP3, M4A, AAC, WAV and what else ffmpeg plays";
  return new UnrecoverableError("unsupported", `not a media file (${known}): ${shown}`, { cause });
}

async function readHead(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(SNIFF_BYTES);
    const { bytesRead } = await file.read(head, 0, SNIFF_BYTES, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function toUnreadable(shown: string, cause: unknown): UnrecoverableError {
  const { code } = cause as NodeJS.ErrnoException;
  const why =
    code === "ENOENT" || code === "ENOTDIR"
      ? "no such file"
      : code === "EACCES"
        ? "no permission to read"
        : "cannot read";
  return new UnrecoverableError("invalid_request", `${why}: ${shown}`, { cause });
}
