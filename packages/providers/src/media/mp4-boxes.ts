import type { FileHandle } from "node:fs/promises";

/** A well-formed file has a handful; a fragmented one two for each few seconds. */
const MAX_BOXES = 100_000;

/**
 * Why an MP4 or MOV file cannot be whole, judged by its top-level boxes alone, or null. ffprobe reads a file that was
 * cut off within its media data as if nothing were missing, as long as the index comes first.
 */
export async function findMp4Damage(file: FileHandle): Promise<"no index" | "cut off" | null> {
  const { size: fileSize } = await file.stat();
  let hasIndex = false;
  let offset = 0;
  for (let boxes = 0; offset + 8 <= fileSize && boxes < MAX_BOXES; boxes++) {
    const head = Buffer.alloc(16);
    const { bytesRead } = await file.read(head, 0, 16, offset);
    const size = readSize(head.subarray(0, bytesRead), fileSize - offset);
    // Padding after the last box, as some editors leave it.
    if (size === null) break;
    hasIndex ||= head.toString("latin1", 4, 8) === "moov";
    if (offset + size > fileSize) return "cut off";
    offset += size;
  }
  return hasIndex ? null : "no index";
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
