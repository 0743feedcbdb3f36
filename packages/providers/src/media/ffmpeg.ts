import type { MediaTools } from "@clipmill/domain";
import { probe } from "./probe.ts";
import { toFrames, toPicture } from "./to-pictures.ts";
import { toWav } from "./to-wav.ts";

export interface MediaToolsOptions {
  ffmpegPath: string;
  ffprobePath: string;
  /** Longest audio that is decoded, whatever the container says. More is `too_long`. Default 3,600. */
  maxSeconds?: number;
}

/** The one place that drives ffmpeg. Its children die with the signal, and nothing settles before they are gone. */
export function createMediaTools({
  ffmpegPath,
  ffprobePath,
  maxSeconds = 3_600,
}: MediaToolsOptions): MediaTools {
  const toRun = (signal: AbortSignal) => ({ ffmpegPath, ffprobePath, maxSeconds, signal });
  return {
    probe: (path, { signal }) => probe(path, toRun(signal)),
    toWav: (path, wavPath, { signal }) => toWav(path, wavPath, toRun(signal)),
    toFrames: (path, directory, { signal, ...options }) =>
      toFrames(path, directory, options, toRun(signal)),
    toPicture: (path, picturePath, { signal }) => toPicture(path, picturePath, toRun(signal)),
  };
}
