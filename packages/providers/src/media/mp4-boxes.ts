import type { ByteReader } from "./byte-reader.ts";
import { findSamplesEnd } from "./mp4-samples.ts";

/** A well-formed file has a handful; a fragmented one two for each few seconds. */
const MAX_BOXES = 100_000;

/** The index of an hour of video is 5 MB. A larger one is not looked into. */
const MAX_INDEX_BYTES = 64_000_000;

/** Top-level boxes that hold what is played, or the index of it. Whatever else is cut off, players do not miss. */
const NEEDED = new Set(["moov", "moof", "mdat"]);

interface Box {
  type: string;
  offset: number;
  /** As the box says it, header included: it may end after the file. */
  size: number;
}

/**
 * Why an MP4 or MOV file cannot be whole, judged by its boxes alone, or null. ffprobe reads a file that was cut off
 * within its media data as if nothing were missing, as long as the index comes first. What players read past is no
 * damage: bytes or text after the last box, and a media box that ends after the file although all its samples are there.
 */
export async function findMp4Damage(bytes: ByteReader): Promise<"no index" | "cut off" | null> {
  const { size: fileSize } = bytes;
  let index: Box | null = null;
  let isFragmented = false;
  let offset = 0;
  for (let boxes = 0; offset + 8 <= fileSize && boxes < MAX_BOXES; boxes++) {
    const box = await readBox(bytes, offset);
    // No box can start here: padding, as some editors leave it, or something else that was put after the file.
    if (box === null) break;
    if (offset + box.size > fileSize) {
      if (!NEEDED.has(box.type)) break;
      // Only an index before the media says which of it is needed.
      if (box.type !== "mdat" || isFragmented || index === null) return "cut off";
      return (await lacksSamples(bytes, index)) ? "cut off" : null;
    }
    if (box.type === "moov") index = box;
    isFragmented ||= box.type === "moof";
    offset += box.size;
  }
  return index === null ? "no index" : null;
}

/** The box that starts here; null where none can. */
async function readBox(bytes: ByteReader, offset: number): Promise<Box | null> {
  const head = await bytes.read(offset, 16);
  const size = readSize(head, bytes.size - offset);
  return size === null ? null : { type: head.toString("latin1", 4, 8), offset, size };
}

/** The size of the box that starts here, header included; null where no box can start. */
function readSize(head: Buffer, rest: number): number | null {
  const short = head.readUInt32BE(0);
  // 0 means up to the end of the file, 1 that a 64-bit size follows.
  if (short === 0) return rest;
  if (short !== 1) return short >= 8 ? short : null;
  if (head.length < 16) return null;
  const long = head.readBigUInt64BE(8);
  return long >= 16n ? Number(long) : null;
}

/** Whether the index names a sample that ends after the file. */
async function lacksSamples(bytes: ByteReader, index: Box): Promise<boolean> {
  if (index.size > MAX_INDEX_BYTES) return true;
  const end = findSamplesEnd(await bytes.read(index.offset, index.size));
  return end === null || end > bytes.size;
}
