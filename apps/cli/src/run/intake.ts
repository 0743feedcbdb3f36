import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Config, toStorageSettings } from "@clipmill/config";
import { type PostId, parseLink, UnrecoverableError } from "@clipmill/domain";
import {
  createImportStore,
  createMediaTools,
  createStorage,
  importFile,
} from "@clipmill/providers";
import { requireFfmpeg } from "../doctor/ffmpeg.ts";
import type { Intake } from "./requests.ts";

export interface IntakeOptions {
  config: Config;
  language: string | null;
  notice: (line: string) => void;
  signal: AbortSignal;
}

/**
 * Understands what was typed: a link, an id, share text, or a local file, which is imported. Throws
 * UnrecoverableError `invalid_request` for a file that is not there, and what `parseLink` and `importFile` throw.
 */
export async function toIntake(input: string, options: IntakeOptions): Promise<Intake> {
  const { language } = options;
  if (await isLocalFile(input)) {
    const postId = await importLocalFile(input, options);
    return { link: `file:${basename(input)}`, postId, origin: "file", language };
  }
  const link = parseLink(input);
  const postId = link.kind === "post" ? link.awemeId : null;
  return { link: link.url, postId, origin: "tiktok", language };
}

async function importLocalFile(
  path: string,
  { config, notice, signal }: IntakeOptions,
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
  });
  await createImportStore({ directory }).save(fetched);
  return postId;
}

/** A path that exists, or that can only be meant as one. */
async function isLocalFile(input: string): Promise<boolean> {
  const exists = await stat(input).then(
    () => true,
    () => false,
  );
  if (exists) return true;
  const isPath = /^\.{0,2}\//.test(input) || /^[^\s:]+\.[a-z0-9]{2,4}$/i.test(input);
  return isPath && !/tiktok\.com/i.test(input);
}
