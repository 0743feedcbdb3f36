import { ClipmillError } from "@clipmill/domain";
import { type FfmpegOutput, NOWHERE, type FfmpegRun, runFfmpeg } from "./run-ffmpeg.ts";
import type { Track, Tracks } from "./tracks.ts";

/** A file with more tracks of sound than this is no clip; the rest is not listened to. */
export const MAX_SOUND_TRACKS = 8;

/** The measure does not know how long the last frames are shown, and the last packet of sound ends in padding. */
export const LACKS_SECONDS = 0.5;
export const PADDING_SECONDS = 0.1;

export interface MeasureRun extends FfmpegRun {
  /** Sound beyond this is neither decoded nor measured. */
  maxSeconds: number;
}

/**
 * Where the last sound or picture of a file ends, in seconds. Sound is decoded for it, pictures are only read. What the
 * file claims counts where the measure confirms it, or certainly would, or where nothing can be measured.
 */
export async function measureSeconds(
  path: string,
  found: Tracks,
  run: MeasureRun,
): Promise<number> {
  const { maxSeconds } = run;
  if (found.isPlain && found.claimedSeconds <= maxSeconds) return found.claimedSeconds;
  const sound = toSoundTracks(found);
  const pictures = found.tracks.filter(({ type }) => type === "video").slice(0, 1);
  const whole = await measure(path, found, { sound, pictures }, run);
  // A picture that is to stand for years says nothing about the sound, and it is the sound that costs.
  const isByPictures =
    whole !== null && whole > maxSeconds && sound.length > 0 && pictures.length > 0;
  const measured = isByPictures ? await measure(path, found, { sound, pictures: [] }, run) : whole;
  const { claimedSeconds: claimed } = found;
  if (measured === null) return claimed <= maxSeconds ? Math.max(0, claimed) : 0;
  const isConfirmed = measured >= claimed - LACKS_SECONDS && measured <= claimed + PADDING_SECONDS;
  return isConfirmed ? claimed : Math.max(0, measured);
}

/** The tracks of sound that can be decoded, as far as ffprobe knows: the default first, then as they stand in the file. */
export function toSoundTracks({ tracks }: Tracks): Track[] {
  return tracks
    .filter(({ type, isKnown }) => type === "audio" && isKnown)
    .toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault))
    .slice(0, MAX_SOUND_TRACKS);
}

/** Where the last picture of a video ends, in seconds; null where that cannot be read. */
export async function measurePictures(
  path: string,
  { track, found }: { track: Track; found: Tracks },
  run: MeasureRun,
): Promise<number | null> {
  return await measure(path, found, { sound: [], pictures: [track] }, run);
}

/** However many packets cannot be decoded, the others are measured. */
const REPORT = ["-max_error_rate", "1", "-progress", "pipe:1"];

function toNowhere(tracks: readonly Track[], options: readonly string[]): FfmpegOutput[] {
  if (tracks.length === 0) return [];
  const maps = tracks.flatMap(({ index }) => ["-map", `0:${index}`]);
  return [{ options: [...REPORT, ...maps, ...options, "-f", "null"], target: NOWHERE }];
}

async function measure(
  path: string,
  { format }: Tracks,
  { sound, pictures }: { sound: readonly Track[]; pictures: readonly Track[] },
  run: MeasureRun,
): Promise<number | null> {
  if (sound.length + pictures.length === 0) return null;
  // Where a track cannot be decoded after all, the times of its packets must do.
  for (const codec of ["pcm_s16le", "copy"]) {
    const outputs = [
      toNowhere(sound, ["-c:a", codec, "-t", String(run.maxSeconds + 1)]),
      // To their end, since reading costs little, and the last one before the limit may lie far before it.
      toNowhere(pictures, ["-c:v", "copy"]),
    ];
    try {
      return toSeconds(await runFfmpeg({ path, format }, outputs.flat(), run));
    } catch (error) {
      if (!isOfMedia(error)) throw error;
    }
  }
  return null;
}

/** Whether an error says that ffmpeg cannot cope with what is in the file, and not that something else went wrong. */
export function isOfMedia(error: unknown): error is ClipmillError {
  return (
    error instanceof ClipmillError &&
    (error.code === "corrupt_media" || error.code === "unsupported")
  );
}

/** The last time in ffmpeg's report of its progress. Both of its fields are in µs, whatever their names say. */
function toSeconds(progress: string): number | null {
  const last = [...progress.matchAll(/^out_time_[um]s=(-?\d+)$/gm)].at(-1)?.[1];
  return last === undefined ? null : Number(last) / 1_000_000;
}
