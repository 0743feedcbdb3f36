import { openAsBlob } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { RetryableError, UnrecoverableError } from "@clipmill/domain";
import type { SoundMemory } from "./sound-memory.ts";
import { findSoundStart, toWavHeader, WAV_BYTES_PER_MS } from "../wav.ts";

/** One upload: the whole clip, or a part of it. */
export interface Upload {
  /** A WAV file: in memory, or read while it is sent. */
  audio: Buffer | Blob;
  bytes: number;
  /** Where it begins in the clip. */
  offsetMs: number;
  durationMs: number;
}

/** Four minutes. Shorter clips are in memory when their turn comes, since a GPU would wait for each chunk that is read. */
const READ_AHEAD_MAX_BYTES = 8_000_000;
const HEAD_BYTES = 4_096;
/** A part is cut where it is quietest within its last tenth, or its last 30 s. */
const CUT_SHARE = 0.1;
const CUT_RANGE_MAX_MS = 30_000;
/** The length of which the loudness is measured: a pause between words. */
const QUIET_MS = 100;
/** Shorter parts would cut sentences, and tell a recogniser nothing of the language. */
const PART_MIN_MS = 10_000;

/**
 * The 16 kHz mono WAV as uploads of at most this many bytes; `Infinity` is no limit. A file that is larger is cut into parts,
 * in pauses. Throws UnrecoverableError `too_large` where parts would be under 10 s, RetryableError `storage_failed`
 * where the file cannot be read.
 */
export async function toUploads(
  { wavPath, durationMs }: { wavPath: string; durationMs: number },
  { maxBytes, memory }: { maxBytes: number; memory: SoundMemory },
): Promise<Upload[]> {
  const audio = await orStorageFailed(() => openAsBlob(wavPath));
  const { size: bytes } = audio;
  if (bytes <= maxBytes) {
    const isShort = bytes <= READ_AHEAD_MAX_BYTES;
    const content = isShort ? await readSound(wavPath, memory.take(bytes)) : audio;
    return [{ audio: content, bytes, offsetMs: 0, durationMs }];
  }
  const partMs = Math.floor((maxBytes - toWavHeader(0).length) / WAV_BYTES_PER_MS);
  if (partMs < PART_MIN_MS) {
    throw new UnrecoverableError(
      "too_large",
      `the audio has ${bytes} bytes; the transcription server takes ${maxBytes}, which is under ${PART_MIN_MS / 1000} s`,
    );
  }
  const file = await orStorageFailed(() => open(wavPath));
  try {
    const soundAt = await findSound(file);
    const soundMs = Math.floor((bytes - soundAt) / WAV_BYTES_PER_MS);
    const toPart = (fromMs: number, toMs: number): Upload => {
      const [from, to] = [soundAt + fromMs * WAV_BYTES_PER_MS, soundAt + toMs * WAV_BYTES_PER_MS];
      const parts = [toWavHeader(to - from), audio.slice(from, to)];
      return {
        audio: new Blob(parts),
        bytes: toWavHeader(0).length + to - from,
        offsetMs: fromMs,
        durationMs: toMs - fromMs,
      };
    };
    const uploads: Upload[] = [];
    let fromMs = 0;
    while (soundMs - fromMs > partMs) {
      const toMs = await findPause(file, soundAt, { fromMs, untilMs: fromMs + partMs });
      uploads.push(toPart(fromMs, toMs));
      fromMs = toMs;
    }
    return [...uploads, toPart(fromMs, soundMs)];
  } finally {
    await file.close();
  }
}

/** Fills `sound`, which is as long as the file. */
async function readSound(wavPath: string, sound: Buffer): Promise<Buffer> {
  const file = await orStorageFailed(() => open(wavPath));
  try {
    for (let at = 0; at < sound.length;) {
      const { bytesRead } = await orStorageFailed(() => file.read(sound, at, sound.length - at));
      if (bytesRead === 0) {
        throw new RetryableError("storage_failed", "the prepared audio was cut off meanwhile");
      }
      at += bytesRead;
    }
    return sound;
  } finally {
    await file.close();
  }
}

async function findSound(file: FileHandle): Promise<number> {
  const head = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await orStorageFailed(() => file.read(head, 0, HEAD_BYTES, 0));
  const soundAt = findSoundStart(head.subarray(0, bytesRead));
  if (soundAt !== null) return soundAt;
  throw new RetryableError("storage_failed", "the prepared audio is no WAV file");
}

/** The middle of the quietest stretch shortly before `untilMs`. */
async function findPause(
  file: FileHandle,
  soundAt: number,
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
): Promise<number> {
  const rangeMs = Math.min(CUT_RANGE_MAX_MS, Math.floor((untilMs - fromMs) * CUT_SHARE));
  const startMs = untilMs - rangeMs;
  const sound = Buffer.alloc(rangeMs * WAV_BYTES_PER_MS);
  const position = soundAt + startMs * WAV_BYTES_PER_MS;
  const { bytesRead } = await orStorageFailed(() => file.read(sound, 0, sound.length, position));
  const stretchBytes = QUIET_MS * WAV_BYTES_PER_MS;
  let quietestMs = rangeMs;
  let least = Number.POSITIVE_INFINITY;
  for (let at = 0; at + stretchBytes <= bytesRead; at += stretchBytes) {
    let loudness = 0;
    for (let byte = at; byte < at + stretchBytes; byte += 2)
      loudness += Math.abs(sound.readInt16LE(byte));
    if (loudness >= least) continue;
    least = loudness;
    quietestMs = at / WAV_BYTES_PER_MS + QUIET_MS / 2;
  }
  return startMs + quietestMs;
}

async function orStorageFailed<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new RetryableError("storage_failed", "the prepared audio cannot be read", { cause });
  }
}
