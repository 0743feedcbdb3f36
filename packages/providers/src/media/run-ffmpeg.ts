import { RetryableError, UnrecoverableError, type WaitOptions } from "@clipmill/domain";
import ffmpeg from "fluent-ffmpeg";
import { ProgramError, runProgram } from "../programs/run-program.ts";
import type { Turns } from "../programs/turns.ts";
import { MAX_MEMORY_BYTES, MAX_PIXELS, toInputOptions } from "./input-options.ts";
import type { MediaFormat } from "./sniff-media.ts";

/** One child's share of the machine: several run beside each other. */
const THREADS = ["-threads", "2", "-filter_threads", "2"];

/** A backstop behind the stage's own limit. */
const RUN_TIMEOUT_MS = 3_600_000;

export interface FfmpegInput {
  path: string;
  format: MediaFormat;
  /** What stands before `-i`, such as a place to start from. Default: nothing. */
  options?: readonly string[];
}

export interface FfmpegOutput {
  /** What stands before the target: tracks, filters, codecs, format. */
  options: readonly string[];
  /** A path; `-` for an output that goes nowhere. */
  target: string;
}

export interface FfmpegRun extends WaitOptions {
  ffmpegPath: string;
  /** It runs when its turn comes. Default: at once. */
  turns?: Turns | undefined;
  /** Default 1 h. */
  timeoutMs?: number;
}

/**
 * Runs ffmpeg on a file, or on several at once, and returns its stdout. Throws UnrecoverableError `unsupported` where it has no decoder for
 * what was asked of it, `corrupt_media` where it exits with another error; RetryableError for what is the machine's.
 */
export async function runFfmpeg(
  inputs: FfmpegInput | readonly FfmpegInput[],
  outputs: readonly FfmpegOutput[],
  run: FfmpegRun,
): Promise<string> {
  const { ffmpegPath, turns, signal, timeoutMs = RUN_TIMEOUT_MS } = run;
  const args = toArguments([inputs].flat(), outputs);
  const limits = { signal, timeoutMs, maxMemoryBytes: MAX_MEMORY_BYTES };
  const start = () => runProgram(ffmpegPath, args, limits);
  try {
    return await (turns === undefined ? start() : turns.run(run, start));
  } catch (cause) {
    throw cause instanceof ProgramError ? toError(cause) : cause;
  }
}

/**
 * fluent-ffmpeg 2.1.3 is archived, so it only writes the command line here. Its own runner asks for `-formats` and
 * `-encoders` before each run and misreads ffmpeg 7's answer, throws past its caller when the program is missing,
 * and forgets children that it has not started yet.
 */
function toArguments(inputs: readonly FfmpegInput[], outputs: readonly FfmpegOutput[]): string[] {
  const command = ffmpeg();
  for (const { path, format, options = [] } of inputs) {
    // ffprobe is not told, since it would keep the size of a larger frame to itself.
    const limits = ["-max_pixels", String(MAX_PIXELS), ...THREADS];
    const before = ["-nostdin", "-y", ...toInputOptions(format), ...limits, ...options];
    command.input(toUrl(path)).inputOptions(...before);
  }
  for (const { options, target } of outputs) {
    command.output(target === NOWHERE ? target : toUrl(target)).outputOptions(...options);
  }
  return command._getArguments();
}

/** The target of an output that goes nowhere. */
export const NOWHERE = "-";

/** As a URL, so that nothing in the path is taken for an option or a protocol. */
export function toUrl(path: string): string {
  return `file:${path}`;
}

/** What ffmpeg says quotes paths and metadata of the file, so it stays in the cause. */
function toError(cause: ProgramError): Error {
  if (cause.reason === "missing") {
    return new RetryableError("engine_unavailable", "ffmpeg could not be started", { cause });
  }
  if (cause.reason !== "exit") {
    return new RetryableError("engine_failed", `ffmpeg ended with ${cause.reason}`, { cause });
  }
  // Only its words tell these apart: it exits with 1 for a full disk, a missing decoder and a broken file.
  if (/No space left on device|Disk quota exceeded/.test(cause.stderrTail)) {
    return new RetryableError("storage_failed", "the disk is full", { cause });
  }
  const details = { exitCode: cause.exitCode };
  if (/Decoder \(codec .+\) not found|no decoder found for/.test(cause.stderrTail)) {
    const message = "ffmpeg has no decoder for the media";
    return new UnrecoverableError("unsupported", message, { cause, details });
  }
  const message = "ffmpeg cannot decode the media file";
  return new UnrecoverableError("corrupt_media", message, { cause, details });
}
