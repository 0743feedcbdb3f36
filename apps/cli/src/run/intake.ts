import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Config, toStorageSettings } from "@clipmill/config";
import {
  ClipmillError,
  type ParsedLink,
  parseLink,
  type PostId,
  UnrecoverableError,
} from "@clipmill/domain";
import {
  createImportStore,
  createMediaTools,
  createStorage,
  importFile,
} from "@clipmill/providers";
import { requireFfmpeg } from "../doctor/ffmpeg.ts";
import { findFileSign, findNearestName } from "./file-names.ts";
import type { Intake } from "./requests.ts";

export interface IntakeOptions {
  config: Config;
  language: string | null;
  /** The JSON detail of a local file. Default: the one beside it, if there is one. */
  detailPath?: string | undefined;
  notice: (line: string) => void;
  signal: AbortSignal;
}

/**
 * Understands what was typed: a link, an id, share text, or a local file, which is imported. Throws
 * UnrecoverableError `invalid_request` for a file that is not there, and what `parseLink` and `importFile` throw.
 */
export async function toIntake(input: string, options: IntakeOptions): Promise<Intake> {
  const { language, detailPath } = options;
  const path = toPath(input);
  if (await exists(path)) {
    const postId = await importLocalFile(path, options);
    return { link: `file:${basename(path)}`, postId, origin: "file", language };
  }
  const sign = findFileSign(path);
  if (sign !== null) throw await toMissing(path, sign);
  const link = await parseTypedLink(input);
  if (detailPath !== undefined) {
    throw new UnrecoverableError("invalid_request", "--detail goes with a local file only");
  }
  const postId = link.kind === "post" ? link.awemeId : null;
  return { link: link.url, postId, origin: "tiktok", language };
}

/** A file manager's `file:///…` is a path. */
function toPath(input: string): string {
  if (!/^file:\/\//i.test(input)) return input;
  try {
    return fileURLToPath(input);
  } catch (cause) {
    throw new UnrecoverableError("invalid_request", "not the address of a file here", { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function toMissing(path: string, sign: string): Promise<UnrecoverableError> {
  const nearest = await findNearestName(path);
  const hint = nearest === null ? "" : `; is “${nearest}” meant?`;
  const message = `no such file: ${path} (taken for a file because ${sign})${hint}`;
  return new UnrecoverableError("invalid_request", message);
}

/** A text without any link may be the name of a file with a slip in it. */
async function parseTypedLink(input: string): Promise<ParsedLink> {
  try {
    return parseLink(input);
  } catch (error) {
    const isNoLink = error instanceof ClipmillError && error.code === "invalid_link";
    const nearest = isNoLink && !input.includes("://") ? await findNearestName(input) : null;
    if (nearest === null || !(error instanceof ClipmillError)) throw error;
    throw new UnrecoverableError(
      "invalid_link",
      `${error.message}; or is the file “${nearest}” meant?`,
    );
  }
}

async function importLocalFile(
  path: string,
  { config, detailPath, notice, signal }: IntakeOptions,
): Promise<PostId> {
  const ffmpeg = await requireFfmpeg(config, notice);
  if (ffmpeg.origin === "bundled" && !config.ALLOW_BUNDLED_FFMPEG) {
    throw new UnrecoverableError(
      "unsupported",
      "the bundled ffmpeg is for the demo's own clips: install ffmpeg, or set ALLOW_BUNDLED_FFMPEG=1",
    );
  }
  const isName = basename(ffmpeg.path) === ffmpeg.path;
  const directory = join(config.CLIPMILL_HOME, "media");
  const { fetched, postId } = await importFile({
    path,
    storage: await createStorage(toStorageSettings(config)),
    media: createMediaTools({
      ffmpegPath: ffmpeg.path,
      ffprobePath: isName ? "ffprobe" : join(dirname(ffmpeg.path), "ffprobe"),
      maxSeconds: config.MAX_MEDIA_SECONDS,
    }),
    signal,
    maxBytes: config.MAX_MEDIA_BYTES,
    detailPath,
    note: notice,
  });
  await createImportStore({ directory }).save(fetched);
  return postId;
}
