import type { ByteReader } from "../byte-reader.ts";
import { LACKS_SECONDS, PADDING_SECONDS } from "../measure.ts";
import { type Box, toBoxes, toBoxMap, toType } from "./boxes.ts";
import { checkLayout, type Span } from "./mp4-layout.ts";
import { readTrack, type TimedTrack } from "./mp4-track.ts";
import { insist } from "./not-plain.ts";
import type { Found } from "./read-headers.ts";

/**
 * An index of half an hour has 750 kB, and takes 2 ms to read, since the time is in proportion to its bytes whatever
 * numbers are in them: the main loop can spare that. A larger one is for ffprobe.
 */
const MAX_INDEX_BYTES = 1_000_000;

const MAX_TOP_BOXES = 32;
const TOP_BOXES = new Set(["ftyp", "moov", "mdat", "free", "skip", "wide"]);

/** Not QuickTime's, which means other things by some boxes. */
const BRANDS = /^(isom|iso[2-6]|mp4[12]|avc1|M4[AV] )$/;

/** How far from zero the first track may start, and how far what is computed here may be from what ffmpeg measures. */
const START_SECONDS = 0.1;
const MARGIN_SECONDS = 0.02;

/** The tracks of a whole MP4 without fragments, encryption or a track of anything but sound and pictures. Throws NotPlain. */
export async function readMp4(bytes: ByteReader): Promise<Found> {
  const { index, media } = await readTopBoxes(bytes);
  const boxes = toBoxes(index);
  const others = boxes.filter((box) => !isTrack(box));
  const { claimedSeconds, movieScale } = readMovieHead(
    toBoxMap(others, ["mvhd", "udta", "free"]).get("mvhd"),
  );
  checkTags(boxes);
  const timed = boxes
    .filter(isTrack)
    .map(({ content }, index) => readTrack(content, { index, movieScale }));
  checkKinds(timed);
  const chunks = timed.map((each) => each.chunks);
  checkLayout(chunks, media);
  insist(isConfirmed(claimedSeconds, timed));
  return { claimedSeconds, tracks: timed.map(({ track }) => track) };
}

function isTrack({ type }: Box): boolean {
  return type === "trak";
}

/** The content of the only `moov` box, and where the media is, of a file that boxes fill to its last byte. */
async function readTopBoxes(bytes: ByteReader) {
  const media: Span[] = [];
  let place: Span | null = null;
  let offset = 0;
  for (let count = 0; offset < bytes.size; count++) {
    const { type, size, headBytes, brand } = await readTopBox(bytes, offset);
    const span = { start: offset + headBytes, end: offset + size };
    insist(count < MAX_TOP_BOXES && TOP_BOXES.has(type) && span.end <= bytes.size);
    insist((type === "ftyp") === (count === 0) && (count > 0 || BRANDS.test(brand)));
    if (type === "moov") {
      insist(place === null && size <= MAX_INDEX_BYTES);
      place = span;
    }
    if (type === "mdat") media.push(span);
    offset = span.end;
  }
  insist(place !== null);
  return { index: await bytes.read(place.start, place.end - place.start), media };
}

/** `brand`: the four bytes that stand after the head of a box of the usual size. */
async function readTopBox(bytes: ByteReader, offset: number) {
  const head = await bytes.read(offset, 16);
  const type = toType(head, 4);
  const short = head.readUInt32BE(0);
  // A 64-bit size follows.
  const isLong = short === 1 && type === "mdat";
  const size = isLong ? Number(head.readBigUInt64BE(8)) : short;
  const headBytes = isLong ? 16 : 8;
  insist(size >= headBytes);
  return { type, size, headBytes, brand: toType(head, 8) };
}

function readMovieHead(head: Buffer): { claimedSeconds: number; movieScale: number } {
  const isShort = head.readUInt8(0) === 0;
  insist(isShort ? head.length === 100 : head.readUInt8(0) === 1 && head.length === 112);
  const scale = head.readUInt32BE(isShort ? 12 : 20);
  const duration = isShort ? BigInt(head.readUInt32BE(16)) : head.readBigUInt64BE(24);
  insist(scale > 0 && duration > 0n && duration < 1n << 40n);
  // As ffprobe writes it: in whole µs, rounded.
  const us = (duration * 1_000_000n + BigInt(scale >> 1)) / BigInt(scale);
  return { claimedSeconds: Number(us) / 1_000_000, movieScale: scale };
}

/** Comments of encoders and apps are boxes within boxes; where their sizes are wrong ffmpeg may give up on the whole file. */
function checkTags(boxes: readonly Box[]): void {
  const place = boxes.findIndex(({ type }) => type === "udta");
  const tags = boxes[place];
  if (tags === undefined) return;
  // A cover in it is a stream for ffmpeg, and takes a number where it stands before a track.
  insist(boxes.findLastIndex(isTrack) < place);
  const meta = toBoxMap(toBoxes(tags.content), ["meta"]).get("meta");
  insist(meta.readUInt32BE(0) === 0);
  const parts = toBoxMap(toBoxes(meta.subarray(4)), ["hdlr", "keys", "ilst", "free"]);
  const kind = toType(parts.get("hdlr"), 8);
  const keys = parts.find("keys");
  insist(keys === undefined ? kind === "mdir" : kind === "mdta");
  if (keys !== undefined) insist(toBoxes(keys.subarray(8)).length === keys.readUInt32BE(4));
  for (const { content } of toBoxes(parts.get("ilst"))) {
    const values = toBoxes(content);
    insist(values.length > 0);
    for (const { type, content: value } of values) {
      insist((type === "data" && value.length >= 8) || type === "mean" || type === "name");
    }
  }
}

/** Of two tracks of a kind it is not headers that say which is the better one. */
function checkKinds(timed: readonly TimedTrack[]): void {
  insist(timed.length > 0);
  insist(new Set(timed.map(({ track }) => track.type)).size === timed.length);
}

/** Whether what ffmpeg would measure (`measureSeconds`) certainly confirms what the file claims. */
function isConfirmed(claimed: number, timed: readonly TimedTrack[]): boolean {
  const start = Math.min(...timed.map(({ startSeconds }) => startSeconds));
  const atLeast = Math.max(...timed.map(({ endsAfterSeconds }) => endsAfterSeconds)) - start;
  const atMost = Math.max(...timed.map(({ endsBeforeSeconds }) => endsBeforeSeconds));
  return (
    start <= START_SECONDS &&
    atLeast - MARGIN_SECONDS >= claimed - LACKS_SECONDS &&
    atMost + MARGIN_SECONDS <= claimed + PADDING_SECONDS
  );
}
