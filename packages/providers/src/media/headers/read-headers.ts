import type { ByteReader } from "../byte-reader.ts";
import type { MediaFormat } from "../sniff-media.ts";
import type { Tracks } from "../tracks.ts";
import { readMp3 } from "./mp3.ts";
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
export async function readHeaders(bytes: ByteReader, { name }: MediaFormat): Promise<Found | null> {
  try {
    return (await READERS[name]?.(bytes)) ?? null;
  } catch (error) {
    // A RangeError: it ends where a number should stand.
    if (error instanceof NotPlain || error instanceof RangeError) return null;
    throw error;
  }
}

const READERS: Partial<Record<MediaFormat["name"], (bytes: ByteReader) => Promise<Found>>> = {
  mp4: readMp4,
  mp3: readMp3,
  jpeg: (bytes) => readPicture("jpeg", bytes),
  // ffprobe before 7 cannot read these, and there is nothing to learn from them; the decoder has the same limits.
  heic: async () => ({ claimedSeconds: 0, tracks: [] }),
  png: (bytes) => readPicture("png", bytes),
};

async function readPicture(name: string, bytes: ByteReader): Promise<Found> {
  const found = readPictureSize(name, await bytes.read(0, PICTURE_HEAD_BYTES));
  const track = { index: 0, type: "video", isKnown: true, isDefault: false, ...found } as const;
  return { claimedSeconds: 0, tracks: [track] };
}
