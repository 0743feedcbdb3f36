import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import {
  type LocalFile,
  type Sha256,
  UnrecoverableError,
  type WriteOptions,
} from "@clipmill/domain";
import { guardDisk, toNullIfMissing } from "./guard-disk.ts";
import { sweepScratch } from "./sweep-scratch.ts";

export const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

export interface ScratchFile extends LocalFile {
  sha256: Sha256;
  bytes: number;
}

/** Files that are being made, by this and other processes. */
export interface Scratch {
  createDirectory(): Promise<LocalFile>;
  /**
   * Streams `content` into a new file, synced and hashed; it is gone after `dispose`, unless it was moved away. Only
   * the disk's own errors become `storage_failed`; what `content` throws is its caller's to classify.
   */
  write(content: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<ScratchFile>;
}

/** Opening it sweeps leftovers older than a day. Throws RetryableError `storage_failed`. */
export async function openScratch(directory: string): Promise<Scratch> {
  await guardDisk(async () => {
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    await sweepScratch(directory);
  });
  return {
    createDirectory: () =>
      guardDisk(async () => toDisposable(await mkdtemp(join(directory, "job-")))),
    async write(content, options) {
      const path = join(directory, `write-${randomUUID()}`);
      // Mostly it has been moved away by then.
      const file = { path, [Symbol.asyncDispose]: () => guardDisk(() => unlinkIfThere(path)) };
      try {
        return { ...file, ...(await writeSynced(file.path, content, options)) };
      } catch (error) {
        await file[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

export async function hashFile(path: string, signal: AbortSignal): Promise<Sha256> {
  signal.throwIfAborted();
  return await guardDisk(async () => {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) {
      signal.throwIfAborted();
      hash.update(chunk as Buffer);
    }
    return hash.digest("hex");
  });
}

function toDisposable(path: string): LocalFile {
  return {
    path,
    [Symbol.asyncDispose]: () => guardDisk(() => rm(path, { recursive: true, force: true })),
  };
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch(toNullIfMissing);
}

async function writeSynced(
  path: string,
  content: AsyncIterable<Uint8Array>,
  { maxBytes, signal }: WriteOptions,
): Promise<{ sha256: Sha256; bytes: number }> {
  signal.throwIfAborted();
  const file = await guardDisk(() => open(path, "wx", FILE_MODE));
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of content) {
      signal.throwIfAborted();
      bytes += chunk.byteLength;
      if (bytes > maxBytes) {
        throw new UnrecoverableError(
          "too_large",
          `the file is over the limit of ${maxBytes} bytes`,
        );
      }
      hash.update(chunk);
      await guardDisk(() => file.writeFile(chunk));
    }
    signal.throwIfAborted();
    await guardDisk(() => file.sync());
    return { sha256: hash.digest("hex"), bytes };
  } finally {
    await guardDisk(() => file.close());
  }
}
