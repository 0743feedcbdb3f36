import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Config } from "@clipmill/config";
import { parseLink, type PostId, UnrecoverableError } from "@clipmill/domain";
import {
  createFileStorage,
  createImportStore,
  createMediaTools,
  importFile,
} from "@clipmill/providers";
import { requireFfmpeg } from "./ffmpeg.ts";
import type { Intake } from "./requests.ts";

export interface IntakeOptions {
  config: Config;
  language: string | null;
  notice: (line: string) => void;
  signal: AbortSignal;
}

/**
 * Understands what was typed: a link, an id, share text or a local file. Throws UnrecoverableError
 * `invalid_request` for a file that is not there, and what `parseLink` throws.
 */
export async function toIntake(
  input: string,
  { config, language, notice, signal }: IntakeOptions,
): Promise<Intake> {
  if (await isLocalFile(input)) {
    const postId = await storeFile(input, { config, notice, signal });
    return { link: postId, postId, origin: "file", language };
  }
  const link = parseLink(input);
  const postId = link.kind === "post" ? link.awemeId : null;
  return { link: link.url, postId, origin: "tiktok", language };
}

/** Puts a person's own file where the worker's file source finds it. */
async function storeFile(
  path: string,
  { config, notice, signal }: Pick<IntakeOptions, "config" | "notice" | "signal">,
): Promise<PostId> {
  const ffmpeg = await requireFfmpeg(config, notice);
  if (ffmpeg.origin === "bundled" && !config.ALLOW_BUNDLED_FFMPEG) {
    throw new UnrecoverableError(
      "unsupported",
      "the bundled ffmpeg is for the demo's own clips: install ffmpeg, or set ALLOW_BUNDLED_FFMPEG=1",
    );
  }
  const directory = join(config.CLIPMILL_HOME, "media");
  const ffprobePath =
    basename(ffmpeg.path) === ffmpeg.path ? "ffprobe" : join(dirname(ffmpeg.path), "ffprobe");
  const { postId, fetched } = await importFile({
    path,
    storage: await createFileStorage({ directory }),
    media: createMediaTools({ ffmpegPath: ffmpeg.path, ffprobePath }),
    signal,
    maxBytes: config.MAX_MEDIA_BYTES,
  });
  await createImportStore({ directory }).save(fetched);
  return postId;
}

/** A path that exists, or that can only be meant as one. */
async function isLocalFile(input: string): Promise<boolean> {
  const isFile = await stat(input).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile) return true;
  const looksLikePath =
    /^\.{0,2}\//.test(input) || /^[^\s:]+\.(mp4|mov|m4a|mp3|wav|webm|mkv)$/i.test(input);
  if (looksLikePath && !input.includes("tiktok.com/")) {
    throw new UnrecoverableError("invalid_request", `no such file: ${input}`);
  }
  return false;
}
