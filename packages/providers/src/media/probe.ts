import { type FileHandle, open } from "node:fs/promises";
import { type ProbedMedia, RetryableError, UnrecoverableError } from "@clipmill/domain";
import { z } from "zod";
import { ProgramError, runProgram } from "../programs/run-program.ts";
import { MAX_MEMORY_BYTES, toInputOptions } from "./input-options.ts";
import { findMp4Damage } from "./mp4-boxes.ts";
import { type MediaFormat, SNIFF_BYTES, sniffMedia } from "./sniff-media.ts";

/** 8K is 33 million; a frame of this many takes 160 MB once decoded. */
export const MAX_PIXELS = 40_000_000;
const MAX_SIDE = 16_384;

const PROBE_TIMEOUT_MS = 60_000;
const MAX_PROBE_BYTES = 1_000_000;

const decimal = z.coerce.number().catch(0);
const Probe = z.object({
  format: z.object({ duration: decimal.optional() }).optional(),
  streams: z
    .array(
      z.object({
        codec_type: z.string().optional(),
        width: z.number().optional(),
        height: z.number().optional(),
        duration: decimal.optional(),
        disposition: z.object({ attached_pic: z.number().optional() }).optional(),
      }),
    )
    .default([]),
});
type Probe = z.infer<typeof Probe>;

/** The format of a file that is known to us and looks whole. Throws UnrecoverableError `corrupt_media`. */
export async function readFormat(path: string): Promise<MediaFormat> {
  const file = await openMedia(path);
  try {
    const head = Buffer.alloc(SNIFF_BYTES);
    const { bytesRead } = await file.read(head, 0, SNIFF_BYTES, 0);
    if (bytesRead === 0) throw toCorrupt("the media file is empty");
    const format = sniffMedia(head.subarray(0, bytesRead));
    if (format === null) throw toCorrupt("the file is no media file");
    const damage = format.name === "mp4" ? await findMp4Damage(file) : null;
    if (damage === "no index") throw toCorrupt("the MP4 file has no index (moov)");
    if (damage === "cut off") throw toCorrupt("the MP4 file is cut off");
    return format;
  } finally {
    await file.close();
  }
}

async function openMedia(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw new RetryableError("storage_failed", "a media file could not be opened", { cause });
  }
}

/** See `MediaTools.probe`. Pictures have neither audio nor video, and that is no error: cover art is not video either. */
export async function probe(
  path: string,
  { ffprobePath, signal }: { ffprobePath: string; signal: AbortSignal },
): Promise<ProbedMedia> {
  const format = await readFormat(path);
  // ffprobe before 7 cannot read these, and there is nothing to learn from them here.
  if (format.name === "heic") return { durationMs: 0, hasAudio: false, hasVideo: false };
  const found = await runProbe(path, format, { ffprobePath, signal });
  checkFrames(found);
  if (format.kind === "image") return { durationMs: 0, hasAudio: false, hasVideo: false };

  const has = (type: string) =>
    found.streams.some(
      (stream) => stream.codec_type === type && stream.disposition?.attached_pic !== 1,
    );
  const [hasAudio, hasVideo] = [has("audio"), has("video")];
  if (!hasAudio && !hasVideo) {
    throw new UnrecoverableError("no_content", "the file holds neither audio nor video");
  }
  const seconds =
    found.format?.duration ?? Math.max(0, ...found.streams.map((s) => s.duration ?? 0));
  return { durationMs: Math.round(seconds * 1000), hasAudio, hasVideo };
}

async function runProbe(
  path: string,
  format: MediaFormat,
  { ffprobePath, signal }: { ffprobePath: string; signal: AbortSignal },
): Promise<Probe> {
  const entries =
    "format=duration:stream=codec_type,width,height,duration:stream_disposition=attached_pic";
  const args = [...toInputOptions(format), "-show_entries", entries, "-print_format", "json"];
  try {
    const text = await runProgram(ffprobePath, [...args, "-i", `file:${path}`], {
      signal,
      timeoutMs: PROBE_TIMEOUT_MS,
      maxOutputBytes: MAX_PROBE_BYTES,
      maxMemoryBytes: MAX_MEMORY_BYTES,
    });
    return Probe.parse(JSON.parse(text));
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    if (cause.reason === "missing") {
      throw new RetryableError("engine_unavailable", "ffprobe could not be started", { cause });
    }
    if (cause.reason === "exit") throw toCorrupt("ffprobe cannot read the media file", cause);
    throw new RetryableError("engine_failed", `ffprobe ended with ${cause.reason}`, { cause });
  }
}

/** The size as the file claims it: decoders allocate by it before they see a pixel. */
function checkFrames({ streams }: Probe): void {
  for (const { codec_type: type, width = 0, height = 0 } of streams) {
    if (type !== "video") continue;
    if (width === 0 || height === 0) throw toCorrupt("the pictures in the file have no size");
    if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
      throw new UnrecoverableError("too_large", `frames of ${width}x${height} are over the limit`);
    }
  }
}

function toCorrupt(message: string, cause?: unknown): UnrecoverableError {
  return new UnrecoverableError("corrupt_media", message, { cause });
}
