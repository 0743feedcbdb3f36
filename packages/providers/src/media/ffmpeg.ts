import type { MediaTools, WaitOptions } from "@clipmill/domain";
import type { Turns } from "../programs/turns.ts";
import { probe } from "./probe.ts";
import { toFrames, toPicture } from "./to-pictures.ts";
import { toWav } from "./wav/to-wav.ts";
import { createWavBatches } from "./wav/wav-batches.ts";

export interface MediaToolsOptions {
  ffmpegPath: string;
  ffprobePath: string;
  /** Longest audio that is decoded, whatever the container says. More is `too_long`. Default 3,600. */
  maxSeconds?: number;
  /** How many ffmpegs may run at once; clips that wait meanwhile go together. Default: each runs at once, and alone. */
  turns?: Turns;
}

/** The one place that drives ffmpeg. Its children die with the signal, and nothing settles before they are gone. */
export function createMediaTools({
  ffmpegPath,
  ffprobePath,
  maxSeconds = 3_600,
  turns,
}: MediaToolsOptions): MediaTools {
  const batches = turns === undefined ? undefined : createWavBatches({ ffmpegPath, turns });
  const shared = { ffmpegPath, ffprobePath, maxSeconds, turns, batches };
  const toRun = ({ signal, onWait }: WaitOptions) => ({ ...shared, signal, onWait });
  return {
    probe: (path, options) => probe(path, toRun(options)),
    toWav: (path, wavPath, options) => toWav(path, wavPath, toRun(options)),
    toFrames: (path, directory, options) => toFrames(path, directory, options, toRun(options)),
    toPicture: (path, picturePath, options) => toPicture(path, picturePath, toRun(options)),
  };
}
