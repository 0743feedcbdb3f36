import { UnrecoverableError } from "@clipmill/domain";
import type { ByteReader } from "./byte-reader.ts";
import { findMp4Damage } from "./mp4-boxes.ts";
import { type MediaFormat, SNIFF_BYTES, sniffMedia } from "./sniff-media.ts";

/** HLS segments start with one tag, and those that were joined or tagged again with a few. */
const MAX_TAGS = 10;
const TAG_HEAD_BYTES = 10;

/** The format of a file that may be media and looks whole. Throws UnrecoverableError `corrupt_media`. */
export async function readFormat(bytes: ByteReader): Promise<MediaFormat> {
  const head = await bytes.read(0, SNIFF_BYTES);
  if (head.byteLength === 0) throw toCorrupt("the media file is empty");
  const format =
    head.toString("latin1", 0, 3) === "ID3" ? await readTagged(bytes) : sniffMedia(head);
  if (format === null) throw toCorrupt("the file is no media file");
  const damage = format.name === "mp4" ? await findMp4Damage(bytes) : null;
  if (damage === "no index") throw toCorrupt("the MP4 file has no index (moov)");
  if (damage === "cut off") throw toCorrupt("the MP4 file is cut off");
  return format;
}

/**
 * An ID3 tag stands before MP3 mostly, but also before the AAC of HLS, FLAC and others. ffmpeg cannot tell what follows
 * a tag of megabytes, such as one with a cover, so it is looked for here. MP3 unless something else is found.
 */
async function readTagged(bytes: ByteReader): Promise<MediaFormat | null> {
  let offset = 0;
  let head = await bytes.read(0, SNIFF_BYTES);
  const tagged = sniffMedia(head);
  for (let tags = 0; tags < MAX_TAGS && head.toString("latin1", 0, 3) === "ID3"; tags++) {
    offset += toTagBytes(head);
    head = await bytes.read(offset, SNIFF_BYTES);
  }
  const next = sniffMedia(head);
  // Padding after the tag, and other things that the MP3 demuxer passes over on its way to a frame.
  return next === null || next.name === "other" ? tagged : next;
}

/** The size of a tag, header included. It is written in four times seven bits. */
function toTagBytes(head: Buffer): number {
  if (head.byteLength < TAG_HEAD_BYTES) return TAG_HEAD_BYTES;
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = head.subarray(6, 10).map((byte) => byte & 0x7f);
  const hasFooter = ((head[5] ?? 0) & 0x10) !== 0;
  return TAG_HEAD_BYTES * (hasFooter ? 2 : 1) + ((b0 << 21) | (b1 << 14) | (b2 << 7) | b3);
}

export function toCorrupt(message: string, cause?: unknown): UnrecoverableError {
  return new UnrecoverableError("corrupt_media", message, { cause });
}
