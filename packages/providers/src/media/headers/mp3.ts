import type { ByteReader } from "../byte-reader.ts";
import { toType } from "./boxes.ts";
import { insist } from "./not-plain.ts";
import type { Found } from "./read-headers.ts";

/** A quarter of an hour at 128 kbit/s: all of it is passed over, and 64 kB at a time take 0.1 ms. */
const MAX_SONG_BYTES = 16_000_000;

/** kbit/s by the number in a frame's header, of MPEG-1 and of the slower versions, layer III. */
const BIT_RATES = {
  full: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  slow: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
/** Samples a second by number, of MPEG-1. MPEG-2 has half of it, 2.5 a quarter. */
const SAMPLE_RATES = [44_100, 48_000, 32_000];

/** Bytes between a frame's header and the note on the whole file, by version and channels. */
const NOTE_AT = { full: { stereo: 36, mono: 21 }, slow: { stereo: 21, mono: 13 } };
const HAS_FRAMES = 1;
const HAS_BYTES = 2;

const TAG_AT_END_BYTES = 128;

interface Frame {
  version: "full" | "slow";
  bytes: number;
  sampleRate: number;
  isMono: boolean;
}

/**
 * The track of an MP3 whose first frame says how many frames follow (Xing, Info), and which these fill to the end, all at
 * one rate. Throws NotPlain.
 */
export async function readMp3(file: ByteReader): Promise<Found> {
  insist(file.size <= MAX_SONG_BYTES);
  const start = await findFirstFrame(file);
  const end = await findEnd(file);
  const first = toFrame(await file.read(start, 4));
  const frameCount = readNote(await file.read(start, 64), first, end - start);
  let frames = 0;
  for (let at = start + first.bytes; at < end; frames++) {
    const { bytes, sampleRate, version } = toFrame(await file.read(at, 4));
    insist(sampleRate === first.sampleRate && version === first.version && at + bytes <= end);
    at += bytes;
  }
  insist(frames > 0 && frames === frameCount);
  const samples = frames * (first.version === "full" ? 1_152 : 576);
  const track = { index: 0, type: "audio", codec: "mp3", isKnown: true, isDefault: false } as const;
  const claimedSeconds = Math.round((samples / first.sampleRate) * 1e6) / 1e6;
  return { claimedSeconds, tracks: [{ ...track, width: 0, height: 0 }] };
}

/** Behind the one tag that may stand before it. */
async function findFirstFrame(file: ByteReader): Promise<number> {
  const head = await file.read(0, 10);
  if (head.toString("latin1", 0, 3) !== "ID3") return 0;
  const [b0 = 0x80, b1 = 0x80, b2 = 0x80, b3 = 0x80] = head.subarray(6);
  insist(head.readUInt8(3) >= 2 && head.readUInt8(3) <= 4 && head.readUInt8(4) === 0);
  // Four times seven bits; without a footer.
  insist(((b0 | b1 | b2 | b3) & 0x80) === 0 && (head.readUInt8(5) & 0x10) === 0);
  return 10 + ((b0 << 21) | (b1 << 14) | (b2 << 7) | b3);
}

async function findEnd({ size, read }: ByteReader): Promise<number> {
  const last = await read(Math.max(0, size - TAG_AT_END_BYTES), 3);
  return last.toString("latin1") === "TAG" ? size - TAG_AT_END_BYTES : size;
}

function toFrame(head: Buffer): Frame {
  const bits = head.readUInt32BE(0);
  const version = (bits >>> 19) & 3;
  const [bitRate, rate] = [(bits >>> 12) & 15, (bits >>> 10) & 3];
  // Eleven set bits, a version that there is, layer III, rates by number.
  insist(bits >>> 21 === 0x7ff && version !== 1 && ((bits >>> 17) & 3) === 1);
  insist(bitRate >= 1 && bitRate <= 14 && rate < 3);
  const kind = version === 3 ? "full" : "slow";
  const sampleRate = (SAMPLE_RATES[rate] ?? 0) / (version === 3 ? 1 : version === 2 ? 2 : 4);
  const bitsPerSecond = (BIT_RATES[kind][bitRate] ?? 0) * 1_000;
  const padding = (bits >>> 9) & 1;
  const bytes = Math.floor(((kind === "full" ? 144 : 72) * bitsPerSecond) / sampleRate) + padding;
  return { version: kind, bytes, sampleRate, isMono: ((bits >>> 6) & 3) === 3 };
}

/** How many frames follow the first. ffmpeg does not believe it where the number of bytes is not that of the file. */
function readNote(head: Buffer, { version, isMono }: Frame, bytes: number): number {
  const at = NOTE_AT[version][isMono ? "mono" : "stereo"];
  const mark = toType(head, at);
  const flags = head.readUInt32BE(at + 4);
  insist((mark === "Xing" || mark === "Info") && (flags & HAS_FRAMES) !== 0);
  if ((flags & HAS_BYTES) !== 0) insist(Math.abs(head.readUInt32BE(at + 12) - bytes) <= 1_024);
  return head.readUInt32BE(at + 8);
}
