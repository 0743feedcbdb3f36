import { type FileHandle, open } from "node:fs/promises";
import type { MediaFormat } from "../sniff-media.ts";
import type { Tracks } from "../tracks.ts";
import { readMp4 } from "./mp4.ts";
import { NotPlain } from "./not-plain.ts";
import { PICTURE_HEAD_BYTES, readPictureSize } from "./picture.ts";

/** What the headers say, where they are enough. */
export type Found = Pick<Tracks, "claimedSeconds" | "tracks">;

/**
 * What ffprobe would find in a file, and its measure confirm, read from the headers in this process; null for everything
 * that is not as plain as most files are, and for what is damaged: ffprobe is asked then. It starts no child, throws for
 * no content, and its time and memory are bounded by the bytes that it reads, a megabyte at most.
 */
export async function readHeaders(path: string, { name }: MediaFormat): Promise<Found | null> {
  const read = READERS[name];
  if (read === undefined) return null;
  const file = await open(path, "r");
  try {
    return await read(file);
  } catch (error) {
    // A RangeError: it ends where a number should stand.
    if (error instanceof NotPlain || error instanceof RangeError) return null;
    throw error;
  } finally {
    await file.close();
  }
}

const READERS: Partial<Record<MediaFormat["name"], (file: FileHandle) => Promise<Found>>> = {
  mp4: readMp4,
  jpeg: (file) => readPicture("jpeg", file),
  png: (file) => readPicture("png", file),
};

async function readPicture(name: string, file: FileHandle): Promise<Found> {
  const { size } = await file.stat();
  const head = Buffer.alloc(Math.min(size, PICTURE_HEAD_BYTES));
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const found = readPictureSize(name, head.subarray(0, bytesRead));
  const track = { index: 0, type: "video", isKnown: true, isDefault: false, ...found } as const;
  return { claimedSeconds: 0, tracks: [track] };
}
