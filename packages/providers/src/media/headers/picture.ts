import { crc32 } from "node:zlib";
import { toType } from "./boxes.ts";
import { checkSize, type FrameSize } from "./frame-size.ts";
import { insist, insistOn } from "./not-plain.ts";

/** What stands before a picture's size: tables, a thumbnail, colours. More is for ffprobe. */
export const PICTURE_HEAD_BYTES = 262_144;

export interface PictureSize extends FrameSize {
  /** ffmpeg's name of the codec. */
  codec: string;
}

/** The size in a picture's header. Throws NotPlain or RangeError for what it does not know or does not find. */
export function readPictureSize(name: string, head: Buffer): PictureSize {
  const size = insistOn(READERS[name])(head);
  checkSize(size);
  return size;
}

const READERS: Readonly<Record<string, (head: Buffer) => PictureSize>> = {
  jpeg: readJpeg,
  png: readPng,
};

/** JPEG markers (ITU T.81, table B.1). */
const QUANTIZATION = 0xdb;
const HUFFMAN = 0xc4;
const RESTART_INTERVAL = 0xdd;
const SCAN = 0xda;
/** Baseline, extended and progressive, all of them with Huffman codes. */
const FRAMES: readonly number[] = [0xc0, 0xc1, 0xc2];

/** The segments before the first scan: each must be one that ffmpeg reads without an error. */
function readJpeg(head: Buffer): PictureSize {
  let size: PictureSize | undefined;
  for (let at = 2; ;) {
    insist(head.readUInt8(at) === 0xff);
    const marker = head.readUInt8(at + 1);
    const length = head.readUInt16BE(at + 2);
    insist(length >= 2 && at + 2 + length <= head.length);
    const content = head.subarray(at + 4, at + 2 + length);
    if (marker === SCAN) return insistOn(size);
    if (FRAMES.includes(marker)) {
      insist(size === undefined);
      size = readFrame(content);
    } else checkSegment(marker, content);
    at += 2 + length;
  }
}

function readFrame(content: Buffer): PictureSize {
  const components = content.readUInt8(5);
  insist(content.readUInt8(0) === 8 && (components === 1 || components === 3));
  insist(content.length === 6 + components * 3);
  for (let at = 6; at < content.length; at += 3) {
    const sampling = content.readUInt8(at + 1);
    const [across, down] = [sampling >> 4, sampling & 0x0f];
    insist(across >= 1 && across <= 2 && down >= 1 && down <= 2 && content.readUInt8(at + 2) < 4);
  }
  return { codec: "mjpeg", height: content.readUInt16BE(1), width: content.readUInt16BE(3) };
}

function checkSegment(marker: number, content: Buffer): void {
  if (marker === QUANTIZATION) return checkQuantization(content);
  if (marker === HUFFMAN) return checkHuffman(content);
  if (marker === RESTART_INTERVAL) return insist(content.length === 2);
  // Of programs (APPn), and comments.
  insist((marker >= 0xe0 && marker <= 0xef) || marker === 0xfe);
}

function checkQuantization(tables: Buffer): void {
  for (let at = 0; at < tables.length;) {
    const kind = tables.readUInt8(at);
    insist(kind >> 4 <= 1 && (kind & 0x0f) < 4);
    at += 1 + 64 * (1 + (kind >> 4));
    insist(at <= tables.length);
  }
}

function checkHuffman(tables: Buffer): void {
  for (let at = 0; at < tables.length;) {
    const kind = tables.readUInt8(at);
    insist(kind >> 4 <= 1 && (kind & 0x0f) < 4);
    let codes = 0;
    let space = 0;
    for (let bits = 1; bits <= 16; bits++) {
      const count = tables.readUInt8(at + bits);
      codes += count;
      space += count << (16 - bits);
    }
    // More codes than so many bits can tell apart.
    insist(codes <= 256 && space <= 65_536);
    at += 17 + codes;
    insist(at <= tables.length);
  }
}

/** Bits for each sample that a kind of colour may have (PNG, table 11.1). */
const PNG_DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const PALETTE = 3;
/** What may stand before the pixels. Not `acTL`: that is a film. */
const PNG_CHUNKS = new Set(
  "PLTE tRNS gAMA cHRM sRGB sBIT bKGD pHYs tIME tEXt zTXt iTXt eXIf iCCP".split(" "),
);

function readPng(head: Buffer): PictureSize {
  const start = readChunk(head, 8);
  insist(start.type === "IHDR" && start.content.length === 13);
  const [depth, colour, packing, filter, interlace] = [8, 9, 10, 11, 12].map((at) =>
    start.content.readUInt8(at),
  );
  insist(PNG_DEPTHS[colour ?? -1]?.includes(depth ?? -1) === true);
  insist(packing === 0 && filter === 0 && (interlace === 0 || interlace === 1));
  let hasPalette = false;
  let at = start.end;
  while (toType(head, at + 4) !== "IDAT") {
    const { type, end } = readChunk(head, at);
    insist(PNG_CHUNKS.has(type));
    hasPalette ||= type === "PLTE";
    at = end;
  }
  // Where the first pixels are damaged ffprobe finds no size either.
  readChunk(head, at);
  insist(colour !== PALETTE || hasPalette);
  const { content } = start;
  return { codec: "png", width: content.readUInt32BE(0), height: content.readUInt32BE(4) };
}

/** The whole chunk that starts here, undamaged. */
function readChunk(head: Buffer, at: number) {
  const length = head.readUInt32BE(at);
  const end = at + 12 + length;
  insist(end <= head.length);
  insist(crc32(head.subarray(at + 4, at + 8 + length)) === head.readUInt32BE(end - 4));
  return { type: toType(head, at + 4), content: head.subarray(at + 8, at + 8 + length), end };
}
