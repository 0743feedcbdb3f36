import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type MediaTools, RetryableError, UnrecoverableError } from "@clipmill/domain";
import ffmpeg, { type FfmpegCommand } from "fluent-ffmpeg";
import { ProgramError, runProgram } from "../programs/run-program.ts";
import { MAX_MEMORY_BYTES, toInputOptions } from "./input-options.ts";
import { MAX_PIXELS, probe, readFormat } from "./probe.ts";

export interface MediaToolsOptions {
  ffmpegPath: string;
  ffprobePath: string;
  /** Longest audio that is decoded, whatever the container says. More is `too_long`. Default 3,600. */
  maxSeconds?: number;
}

/** 16 kHz, 16 bits, one channel. */
const WAV_BYTES_PER_SECOND = 32_000;
const WAV_HEADER_BYTES = 44;

/** One child's share of the machine: several run beside each other. */
const THREADS = 2;

/** A backstop behind the stage's own limit. */
const RUN_TIMEOUT_MS = 3_600_000;

/** Enough for text that a phone shows; a larger frame costs OCR time and brings nothing. */
const MAX_FRAME_SIDE = 1_920;

/** The one place that drives ffmpeg. Its children die with the signal, and nothing settles before they are gone. */
export function createMediaTools(options: MediaToolsOptions): MediaTools {
  const { ffmpegPath, ffprobePath, maxSeconds = 3_600 } = options;
  return {
    probe: (path, { signal }) => probe(path, { ffprobePath, signal }),

    async toWav(path, wavPath, { signal }) {
      const command = await openInput(path);
      command
        .outputOptions(["-map", "0:a:0", "-map_metadata", "-1"])
        // Without a version in the header, so that the same sound gives the same hash.
        .outputOptions(["-fflags", "+bitexact", "-flags:a", "+bitexact"])
        .outputOptions([
          "-t",
          String(maxSeconds + 1),
          "-fs",
          String((maxSeconds + 2) * WAV_BYTES_PER_SECOND),
        ])
        .audioChannels(1)
        .audioFrequency(16_000)
        .audioCodec("pcm_s16le")
        .format("wav");
      await run(command, wavPath, { ffmpegPath, signal });
      const { size } = await stat(wavPath);
      if (size > maxSeconds * WAV_BYTES_PER_SECOND + WAV_HEADER_BYTES) {
        throw new UnrecoverableError("too_long", `the audio is over the limit of ${maxSeconds} s`);
      }
    },

    async toFrames(path, directory, { signal, count, durationMs }) {
      const frames: string[] = [];
      for (let i = 0; i < count; i++) {
        const framePath = join(directory, `frame-${String(i).padStart(4, "0")}.png`);
        // The middles of `count` equal parts: first and last frames are often black.
        const seconds = (((i + 0.5) / count) * durationMs) / 1000;
        const at = ["-ss", seconds.toFixed(3), "-max_pixels", String(MAX_PIXELS)];
        const command = await openInput(path, at);
        command
          .outputOptions(["-map", "0:v:0", "-frames:v", "1", "-vf", FIT_FRAME])
          .videoCodec("png")
          // Not image2, which reads patterns in the path.
          .format("image2pipe");
        await run(command, framePath, { ffmpegPath, signal });
        if (await hasContent(framePath)) frames.push(framePath);
      }
      return frames;
    },
  };
}

const FIT_FRAME =
  `scale=w=min(${MAX_FRAME_SIDE}\\,iw):h=min(${MAX_FRAME_SIDE}\\,ih)` +
  ":force_original_aspect_ratio=decrease";

/** Past the last frame ffmpeg writes nothing and is content. */
async function hasContent(path: string): Promise<boolean> {
  return await stat(path).then(
    ({ size }) => size > 0,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}

/**
 * fluent-ffmpeg 2.1.3 is archived, so it only writes the command line here. Its own runner asks for `-formats` and
 * `-encoders` before each run and misreads ffmpeg 7's answer, throws past its caller when the program is missing,
 * and forgets children that it has not started yet.
 */
async function openInput(path: string, options: readonly string[] = []): Promise<FfmpegCommand> {
  const format = await readFormat(path);
  const threads = ["-threads", String(THREADS), "-filter_threads", String(THREADS)];
  const before = ["-nostdin", "-y", ...toInputOptions(format), ...threads, ...options];
  return ffmpeg(`file:${path}`).inputOptions(before);
}

async function run(
  command: FfmpegCommand,
  outputPath: string,
  { ffmpegPath, signal }: { ffmpegPath: string; signal: AbortSignal },
): Promise<void> {
  const args = command.output(`file:${outputPath}`)._getArguments();
  try {
    await runProgram(ffmpegPath, args, {
      signal,
      timeoutMs: RUN_TIMEOUT_MS,
      maxMemoryBytes: MAX_MEMORY_BYTES,
    });
  } catch (cause) {
    throw cause instanceof ProgramError ? toError(cause) : cause;
  }
}

/** What ffmpeg says quotes paths and metadata of the file, so it stays in the cause. */
function toError(cause: ProgramError): Error {
  if (cause.reason === "missing") {
    return new RetryableError("engine_unavailable", "ffmpeg could not be started", { cause });
  }
  if (cause.reason !== "exit") {
    return new RetryableError("engine_failed", `ffmpeg ended with ${cause.reason}`, { cause });
  }
  // Only its words tell a full disk from a broken file: both exit with 1.
  if (/No space left on device|Disk quota exceeded/.test(cause.stderrTail)) {
    return new RetryableError("storage_failed", "the disk is full", { cause });
  }
  return new UnrecoverableError("corrupt_media", "ffmpeg cannot decode the media file", {
    cause,
    details: { exitCode: cause.exitCode },
  });
}
