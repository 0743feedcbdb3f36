import { rename, rm, stat } from "node:fs/promises";
import { type ClipmillError, SkipError, UnrecoverableError } from "@clipmill/domain";
import { isOfMedia, type MeasureRun, toSoundTracks } from "../measure.ts";
import { runFfmpeg } from "../run-ffmpeg.ts";
import { type ProbeRun, readTracks, toUnsupported, type Track, type Tracks } from "../tracks.ts";
import type { WavBatches, WavClip } from "./wav-batches.ts";
import { readLevelDb, WAV_HEADER_BYTES } from "./wav-level.ts";

/** 16 kHz, 16 bits, one channel. */
const WAV_BYTES_PER_SECOND = 32_000;

/** Shorter sounds hold no word, and recognisers refuse them. */
const MIN_SOUND_MS = 100;

/** A track so much quieter than the loudest one is taken for an empty one: speech and music differ by less. */
const QUIETER_DB = 20;

/**
 * The time stamps of the sound decide where it lies: silence stands before a sound that starts late, and in gaps of over
 * 0.1 s; what overlaps is cut. Without this ffmpeg puts all sounds one after the other.
 */
const ON_THE_TIMELINE = "aresample=16000:async=1:first_pts=0";

/**
 * Of a stream (MPEG-TS) ffmpeg forgets where the whole file starts, and puts the start of the track that it decodes in
 * its place, unless times are moved, be it by a microsecond.
 */
export const FROM_THE_FILES_START = ["-itsoffset", "0.000001"];

/** What is longer or larger costs much more than the start of a program, and goes alone. */
const SHORT_SECONDS = 120;
const SMALL_BYTES = 20_000_000;

/** How the programs are run. Without `batches`, every clip goes alone. */
type Run = ProbeRun & MeasureRun & { batches?: WavBatches | undefined };

/** A track as a WAV file. */
interface Heard {
  path: string;
  durationMs: number;
}

/** See `MediaTools.toWav`. */
export async function toWav(
  path: string,
  wavPath: string,
  run: Run,
): Promise<{ durationMs: number }> {
  const found = await readTracks(path, run);
  const heard: Heard[] = [];
  let failure: ClipmillError | null = null;
  try {
    for (const track of toSoundTracks(found)) {
      try {
        const trackPath = `${wavPath}.${track.index}`;
        heard.push({
          path: trackPath,
          durationMs: await decode({ path, found, track }, trackPath, run),
        });
      } catch (error) {
        if (!isOfMedia(error)) throw error;
        failure =
          error.code === "unsupported" ? toUnsupported("the sound", track.codec, error) : error;
      }
    }
    const best = await chooseBest(heard.filter(({ durationMs }) => durationMs >= MIN_SOUND_MS));
    if (best === null) throw toReason(found, failure, heard);
    if (best.durationMs > run.maxSeconds * 1000) {
      throw new UnrecoverableError(
        "too_long",
        `the audio is over the limit of ${run.maxSeconds} s`,
      );
    }
    await rename(best.path, wavPath);
    return { durationMs: best.durationMs };
  } finally {
    for (const each of heard) await rm(each.path, { force: true });
  }
}

/** Returns how long the sound is, in ms. */
async function decode(
  { path, found, track }: { path: string; found: Tracks; track: Track },
  wavPath: string,
  run: Run,
): Promise<number> {
  const { size: bytes } = await stat(path);
  const input = { path, format: found.format, options: FROM_THE_FILES_START };
  const output = { options: toWavOptions(track.index, run.maxSeconds), target: wavPath };
  const clip = { input, output, seconds: found.claimedSeconds, bytes };
  if (run.batches !== undefined && isShort(clip, found)) await run.batches.decode(clip, run);
  else await runFfmpeg(input, [output], run);
  const { size } = await stat(wavPath);
  return Math.round((Math.max(0, size - WAV_HEADER_BYTES) / WAV_BYTES_PER_SECOND) * 1000);
}

/** What makes a WAV of a track of the only input, as options of its output. */
export function toWavOptions(track: number, maxSeconds: number): string[] {
  return [
    ["-map", `0:${track}`, "-map_metadata", "-1"],
    // Without a version in the header, so that the same sound gives the same hash.
    ["-fflags", "+bitexact", "-flags:a", "+bitexact"],
    // What can be decoded counts, however many packets cannot.
    ["-max_error_rate", "1"],
    ["-t", String(maxSeconds + 1), "-fs", String((maxSeconds + 2) * WAV_BYTES_PER_SECOND)],
    ["-af", ON_THE_TIMELINE, "-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le", "-f", "wav"],
  ].flat();
}

/** Whether it may share an ffmpeg with others: nothing about it is unusual, and it does not take long. */
function isShort({ seconds, bytes }: WavClip, { isPlain }: Tracks): boolean {
  return isPlain && seconds > 0 && seconds <= SHORT_SECONDS && bytes <= SMALL_BYTES;
}

/** The first that is not much quieter than the loudest: of two that can be heard, players take the first. */
async function chooseBest(heard: readonly Heard[]): Promise<Heard | null> {
  const [first] = heard;
  if (first === undefined || heard.length === 1) return first ?? null;
  const levels = await Promise.all(heard.map(({ path }) => readLevelDb(path)));
  const loudest = Math.max(...levels);
  return heard.find((_, at) => (levels[at] ?? -Infinity) >= loudest - QUIETER_DB) ?? first;
}

/** Why nothing can be heard. A track that cannot be decoded may hold speech, so it comes before an empty one. */
function toReason(found: Tracks, failure: ClipmillError | null, heard: readonly Heard[]): Error {
  const unknown = found.tracks.find(({ type, isKnown }) => type === "audio" && !isKnown);
  if (unknown !== undefined) return toUnsupported("the sound", unknown.codec);
  if (failure !== null) return failure;
  const longest = Math.max(0, ...heard.map(({ durationMs }) => durationMs));
  const message =
    longest === 0 ? "there is no sound in the file" : `the sound lasts ${longest} ms only`;
  return new SkipError("no_audio", message);
}
