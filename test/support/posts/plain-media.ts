import { measureSeconds } from "../../../packages/providers/src/media/measure.ts";
import {
  probeTracks,
  readPlain,
  type Track,
} from "../../../packages/providers/src/media/tracks.ts";

const run = {
  ffmpegPath: "ffmpeg",
  ffprobePath: "ffprobe",
  signal: new AbortController().signal,
  maxSeconds: 3_600,
};

/** What is said about a file: 0 ms for a picture. */
export interface Said {
  durationMs: number;
  tracks: Track[];
}

/** By the headers alone; null where they are not plain. Throws for what is no media. */
export async function askHeaders(path: string): Promise<Said | null> {
  const { found } = await readPlain(path);
  if (found === null) return null;
  return { durationMs: Math.round(found.claimedSeconds * 1_000), tracks: found.tracks };
}

/** By ffprobe and the measure. */
export async function askPrograms(path: string): Promise<Said> {
  const { format } = await readPlain(path);
  const found = await probeTracks(path, format, run);
  const seconds = format.kind === "image" ? 0 : await measureSeconds(path, found, run);
  return { durationMs: Math.round(seconds * 1_000), tracks: found.tracks };
}
