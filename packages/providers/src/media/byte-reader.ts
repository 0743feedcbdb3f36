import { type FileHandle, open } from "node:fs/promises";
import { RetryableError } from "@clipmill/domain";

/** The whole index of a clip of a minute. */
const BLOCK_BYTES = 65_536;

/** Reads here and there in a file. */
export interface ByteReader {
  /** Of the file, in bytes. */
  readonly size: number;
  /** So many bytes from `offset` on; fewer where the file ends before that. Not to be written to. */
  read(offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/**
 * Opens a file to be read in blocks, of which the last is kept: headers are many small reads beside each other, and each
 * that goes to the system costs 0.1 ms of CPU. Throws RetryableError `storage_failed`.
 */
export async function openBytes(path: string): Promise<ByteReader> {
  const file = await openFile(path);
  const { size } = await file.stat();
  let block: Buffer = Buffer.alloc(0);
  let blockAt = 0;
  return {
    size,
    async read(offset, length) {
      const wanted = Math.min(length, size - offset);
      if (wanted <= 0) return Buffer.alloc(0);
      if (offset < blockAt || offset + wanted > blockAt + block.length) {
        const bytes = Buffer.alloc(Math.min(Math.max(length, BLOCK_BYTES), size - offset));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
        [block, blockAt] = [bytes.subarray(0, bytesRead), offset];
      }
      return block.subarray(offset - blockAt, offset - blockAt + wanted);
    },
    close: () => file.close(),
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw new RetryableError("storage_failed", "a media file could not be opened", { cause });
  }
}
