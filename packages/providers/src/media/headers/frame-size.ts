import { type Bits, toBits } from "./bits.ts";
import { insist, insistOn } from "./not-plain.ts";

export interface FrameSize {
  width: number;
  height: number;
}

/** Over these it is ffprobe that says what becomes of the file. */
const MAX_SIDE = 16_384;

/** Throws NotPlain for a size that is none, or that nobody should decode. */
export function checkSize({ width, height }: FrameSize): void {
  insist(width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE);
}

/** Set where the parts of a sample have lengths of four bytes, as all encoders write them. */
const LENGTH_BYTES = 3;

/** The size that the decoder is told in an `avcC` box, in its one sequence parameter set (ITU H.264, 7.3.2.1.1). */
export function readAvcSize(settings: Buffer): FrameSize {
  const bits = toBits(findAvcSet(settings).subarray(1));
  const profile = bits.read(8);
  bits.skip(16);
  bits.readUe();
  const chroma = HIGH_PROFILES.includes(profile) ? readAvcColours(bits) : 1;
  bits.readUe();
  skipAvcOrder(bits);
  bits.readUe();
  bits.skip(1);
  const [across, down] = [bits.readUe() + 1, bits.readUe() + 1];
  const isWhole = bits.read(1) === 1;
  if (!isWhole) bits.skip(1);
  bits.skip(1);
  const coded = { width: across * 16, height: down * 16 * (isWhole ? 1 : 2) };
  return crop(coded, bits, { chroma, rows: isWhole ? 1 : 2 });
}

const AVC_SEQUENCE = 7;
const AVC_PICTURE = 8;

/** The one sequence parameter set. Where a part of the box is wrong, ffmpeg may believe none of it. */
function findAvcSet(settings: Buffer): Buffer {
  insist(settings.readUInt8(0) === 1);
  insist((settings.readUInt8(4) & LENGTH_BYTES) === LENGTH_BYTES);
  const sets: Buffer[] = [];
  let at = 5;
  for (const type of [AVC_SEQUENCE, AVC_PICTURE]) {
    const count = settings.readUInt8(at++) & 0x1f;
    insist(count === 1);
    const end = at + 2 + settings.readUInt16BE(at);
    const set = settings.subarray(at + 2, end);
    insist(end <= settings.length && (set.readUInt8(0) & 0x1f) === type);
    sets.push(set);
    at = end;
  }
  // Colours of the high profiles, and no more sets.
  insist(at === settings.length || at + 4 === settings.length);
  return insistOn(sets[0]);
}

/** Their parameter sets say more of colours. */
const HIGH_PROFILES: readonly number[] = [100, 110, 122, 244];

function readAvcColours(bits: Bits): number {
  const chroma = bits.readUe();
  insist(chroma <= 2);
  bits.readUe();
  bits.readUe();
  bits.skip(1);
  // Scaling lists of its own.
  insist(bits.read(1) === 0);
  return chroma;
}

/** In which order pictures are shown; the kind with a list of its own is rare. */
function skipAvcOrder(bits: Bits): void {
  const kind = bits.readUe();
  insist(kind === 0 || kind === 2);
  if (kind === 0) bits.readUe();
}

/** The size in an `hvcC` box, in its first sequence parameter set (ITU H.265, 7.3.2.2.1). */
export function readHevcSize(settings: Buffer): FrameSize {
  insist(settings.readUInt8(0) === 1);
  insist((settings.readUInt8(21) & LENGTH_BYTES) === LENGTH_BYTES);
  const bits = toBits(findHevcSet(settings).subarray(2));
  bits.skip(4);
  // One layer of frame rates.
  insist(bits.read(3) === 0);
  // One flag, then profile, tier and level.
  bits.skip(1 + 96);
  bits.readUe();
  const chroma = bits.readUe();
  insist(chroma <= 2);
  const coded = { width: bits.readUe(), height: bits.readUe() };
  return crop(coded, bits, { chroma, rows: 1 });
}

const HEVC_SEQUENCE = 33;

function findHevcSet(settings: Buffer): Buffer {
  const found: Buffer[] = [];
  let at = 23;
  for (let array = 0; array < settings.readUInt8(22); array++) {
    const type = settings.readUInt8(at) & 0x3f;
    const count = settings.readUInt16BE(at + 1);
    at += 3;
    for (let unit = 0; unit < count; unit++) {
      const end = at + 2 + settings.readUInt16BE(at);
      insist(end <= settings.length);
      if (type === HEVC_SEQUENCE) found.push(settings.subarray(at + 2, end));
      at = end;
    }
  }
  insist(found.length === 1);
  return insistOn(found[0]);
}

/** What is cut off of the coded frame, in units of the samples of colour. */
function crop(
  { width, height }: FrameSize,
  bits: Bits,
  { chroma, rows }: { chroma: number; rows: number },
): FrameSize {
  if (bits.read(1) === 0) return { width, height };
  const [left, right, top, bottom] = [bits.readUe(), bits.readUe(), bits.readUe(), bits.readUe()];
  const unitWidth = chroma === 0 ? 1 : 2;
  const unitHeight = (chroma === 1 ? 2 : 1) * rows;
  return {
    width: width - (left + right) * unitWidth,
    height: height - (top + bottom) * unitHeight,
  };
}
