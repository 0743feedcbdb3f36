import { RetryableError, UnrecoverableError } from "@clipmill/domain";
import { z } from "zod";
import { ProgramError, runProgram } from "../programs/run-program.ts";
import { MAX_MEMORY_BYTES, MAX_PIXELS, toInputOptions } from "./input-options.ts";
import { readFormat, toCorrupt } from "./read-format.ts";
import { toUrl } from "./run-ffmpeg.ts";
import type { MediaFormat } from "./sniff-media.ts";

const PROBE_TIMEOUT_MS = 60_000;
const MAX_PROBE_BYTES = 1_000_000;
const MAX_SIDE = 16_384;

/** A track of sound or pictures. The cover of a song is none. */
export interface Track {
  /** ffmpeg's number of it, as in `-map 0:3`. */
  index: number;
  type: "audio" | "video";
  /** Its codec's name, or the mark that the file gives to one that ffmpeg does not know; safe to show. */
  codec: string;
  isKnown: boolean;
  /** Whether players take it where nobody chooses. */
  isDefault: boolean;
  /** As the file claims it, in pixels; 0 for sound. */
  width: number;
  height: number;
}

export interface Tracks {
  format: MediaFormat;
  /** As the file claims it, in seconds; 0 where it does not say. */
  claimedSeconds: number;
  /** In the order of the file. */
  tracks: Track[];
  /**
   * The headers alone tell all of this: a container that we read ourselves, with one track of sound at most, in a codec
   * that every ffmpeg decodes, and times that have been confirmed.
   */
  isPlain: boolean;
}

const decimal = z.coerce.number().catch(0);
const Probed = z.object({
  format: z.object({ duration: decimal.optional() }).optional(),
  streams: z
    .array(
      z.object({
        index: z.number(),
        codec_type: z.string().optional(),
        codec_name: z.string().optional(),
        codec_tag_string: z.string().optional(),
        width: z.number().optional(),
        height: z.number().optional(),
        duration: decimal.optional(),
        disposition: z
          .object({ attached_pic: z.number().optional(), default: z.number().optional() })
          .optional(),
      }),
    )
    .default([]),
});
type Probed = z.infer<typeof Probed>;
type Stream = Probed["streams"][number];

export interface ProbeRun {
  ffprobePath: string;
  signal: AbortSignal;
}

/** What ffprobe finds in a file. Throws UnrecoverableError `corrupt_media` for what it cannot open. */
export async function readTracks(path: string, run: ProbeRun): Promise<Tracks> {
  const format = await readFormat(path);
  const { streams, format: whole } = await runProbe(path, format, run);
  const longest = Math.max(0, ...streams.map(({ duration }) => duration ?? 0));
  const tracks = streams.flatMap(toTrack);
  return { format, claimedSeconds: whole?.duration ?? longest, tracks, isPlain: false };
}

async function runProbe(
  path: string,
  format: MediaFormat,
  { ffprobePath, signal }: ProbeRun,
): Promise<Probed> {
  const entries =
    "format=duration:stream=index,codec_type,codec_name,codec_tag_string,width,height,duration" +
    ":stream_disposition=attached_pic,default";
  const args = [...toInputOptions(format), "-show_entries", entries, "-print_format", "json"];
  try {
    const text = await runProgram(ffprobePath, [...args, "-i", toUrl(path)], {
      signal,
      timeoutMs: PROBE_TIMEOUT_MS,
      maxOutputBytes: MAX_PROBE_BYTES,
      maxMemoryBytes: MAX_MEMORY_BYTES,
    });
    return Probed.parse(JSON.parse(text));
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    if (cause.reason === "missing") {
      throw new RetryableError("engine_unavailable", "ffprobe could not be started", { cause });
    }
    if (cause.reason === "exit") throw toCorrupt("ffprobe cannot read the media file", cause);
    throw new RetryableError("engine_failed", `ffprobe ended with ${cause.reason}`, { cause });
  }
}

function toTrack(stream: Stream): Track[] {
  const { index, codec_type: type, disposition, width = 0, height = 0 } = stream;
  if ((type !== "audio" && type !== "video") || disposition?.attached_pic === 1) return [];
  const isDefault = disposition?.default === 1;
  return [{ index, type, ...toCodec(stream), isDefault, width, height }];
}

/** ffprobe writes what is no letter or digit of a mark as `[0]`. */
function toCodec({ codec_name: name = "unknown", codec_tag_string: mark = "" }: Stream) {
  const isKnown = name !== "unknown" && name !== "none";
  const shown = isKnown ? name : mark;
  return { isKnown, codec: /^[\w. -]{1,32}$/.test(shown) ? shown : "an unknown codec" };
}

/**
 * Throws UnrecoverableError `corrupt_media` or `too_large` for pictures whose size nobody should decode. The size is
 * what the file claims: decoders allocate by it before they see a pixel.
 */
export function checkFrameSize({ width, height }: Pick<Track, "width" | "height">): void {
  if (width === 0 || height === 0) throw toCorrupt("the pictures in the file have no size");
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new UnrecoverableError("too_large", `frames of ${width}x${height} are over the limit`);
  }
}

/** For what ffmpeg has no decoder for. `what` is such as "the sound". */
export function toUnsupported(what: string, codec: string, cause?: unknown): UnrecoverableError {
  const name = codec === "an unknown codec" ? codec : `the codec ${codec}`;
  const message = `${what} is in ${name}, which ffmpeg here cannot decode`;
  return new UnrecoverableError("unsupported", message, { cause });
}
