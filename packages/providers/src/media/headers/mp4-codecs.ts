import { type Box, toBoxes, toBoxMap, toType } from "./boxes.ts";
import { checkSize, type FrameSize, readAvcSize, readHevcSize } from "./frame-size.ts";
import { insist, insistOn } from "./not-plain.ts";

export interface Described extends FrameSize {
  /** ffmpeg's name of the codec. */
  codec: string;
}

/** The mark in the file, ffmpeg's name, and the box with the decoder's settings, which say how large frames are. */
const PICTURES: Readonly<Record<string, PictureCodec>> = {
  avc1: { codec: "h264", settings: "avcC", readSize: readAvcSize },
  hvc1: { codec: "hevc", settings: "hvcC", readSize: readHevcSize },
  hev1: { codec: "hevc", settings: "hvcC", readSize: readHevcSize },
};
interface PictureCodec {
  codec: string;
  settings: string;
  readSize: (settings: Buffer) => FrameSize;
}

/** Colours, the shape of pixels, bit rates: nothing that changes what is asked here. */
const HARMLESS = ["btrt", "colr", "pasp", "fiel", "chrm"];

/** Head of an entry: six bytes that mean nothing, and which of the data references it uses. */
const ENTRY_BYTES = 8;
const PICTURE_BYTES = ENTRY_BYTES + 70;
const SOUND_BYTES = ENTRY_BYTES + 20;

/** What the only entry of a track's `stsd` says. Throws NotPlain for a second one, and for a codec that is not listed. */
export function readDescription(table: Buffer, type: "audio" | "video"): Described {
  insist(table.length > 8 && table.readUInt32BE(4) === 1);
  const [entry, ...more] = toBoxes(table.subarray(8));
  insist(more.length === 0);
  const only = insistOn(entry);
  insist(only.content.readUInt16BE(6) === 1);
  return type === "audio" ? readSound(only) : readPictures(only);
}

function readPictures({ type, content }: Box): Described {
  const { codec, settings, readSize } = insistOn(PICTURES[type]);
  const boxes = toBoxMap(toBoxes(content.subarray(PICTURE_BYTES)), [settings, ...HARMLESS]);
  const [width, height] = [content.readUInt16BE(24), content.readUInt16BE(26)];
  // Decoders believe their settings, ffprobe the decoder.
  const real = readSize(boxes.get(settings));
  checkSize(real);
  insist(real.width === width && real.height === height);
  return { codec, width, height };
}

function readSound({ type, content }: Box): Described {
  // Version 1 and 2 are QuickTime's, and longer.
  insist(type === "mp4a" && content.readUInt16BE(8) === 0);
  const boxes = toBoxMap(toBoxes(content.subarray(SOUND_BYTES)), ["esds", "btrt"]);
  return { codec: readStreamCodec(boxes.get("esds").subarray(4)), width: 0, height: 0 };
}

/** Tags of MPEG-4 descriptors (ISO/IEC 14496-1). */
const STREAM = 0x03;
const DECODER = 0x04;
const SETTINGS = 0x05;

const MP3_MARKS: readonly number[] = [0x69, 0x6b];
const AAC_MARKS: readonly number[] = [0x40, 0x67];

/** AAC LC, and with SBR (HE-AAC) and PS. Other numbers are other codecs. */
const AAC_KINDS: readonly number[] = [2, 5, 29];

function readStreamCodec(descriptors: Buffer): string {
  const stream = readDescriptor(descriptors, STREAM);
  // An id and flags; flags would say that more comes before the decoder.
  insist(stream.readUInt8(2) === 0);
  const decoder = readDescriptor(stream.subarray(3), DECODER);
  const mark = decoder.readUInt8(0);
  if (MP3_MARKS.includes(mark)) return "mp3";
  insist(AAC_MARKS.includes(mark));
  const settings = readDescriptor(decoder.subarray(13), SETTINGS);
  // Kind (5 bits), rate (4, where 13 and more are no number of a rate), channels (4).
  const bits = settings.readUInt16BE(0);
  const channels = (bits >> 3) & 0x0f;
  insist(AAC_KINDS.includes(bits >> 11) && ((bits >> 7) & 0x0f) < 13);
  insist(channels >= 1 && channels <= 7);
  return "aac";
}

/** The content of the descriptor that starts here. Its length is written in up to four times seven bits. */
function readDescriptor(bytes: Buffer, tag: number): Buffer {
  insist(bytes.readUInt8(0) === tag);
  let length = 0;
  for (let at = 1; at <= 4; at++) {
    const byte = bytes.readUInt8(at);
    length = (length << 7) | (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    insist(at + 1 + length <= bytes.length);
    return bytes.subarray(at + 1, at + 1 + length);
  }
  insist(false);
  return bytes;
}

/** Whether a mark is of this handler; see `hdlr`. */
export function toTrackType(handler: Buffer): "audio" | "video" {
  insist(handler.length >= 20 && handler.readUInt32BE(4) === 0);
  const type = toType(handler, 8);
  insist(type === "soun" || type === "vide");
  return type === "soun" ? "audio" : "video";
}
