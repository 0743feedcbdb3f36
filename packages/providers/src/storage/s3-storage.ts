import { open } from "node:fs/promises";
import {
  failpoint,
  type ListedFile,
  type LocalFile,
  type Storage,
  type StorageKey,
  type StoredCondition,
  type StoredKind,
} from "@clipmill/domain";
import { guardDisk } from "./guard-disk.ts";
import { createS3Client, type S3Client, type S3Options } from "./s3-client.ts";
import { openScratch, type Scratch, type ScratchFile } from "./scratch.ts";
import { findKey, splitKey, toLost } from "./storage-key.ts";

export interface S3StorageOptions extends S3Options {
  /** A local directory for files on their way: ffmpeg and the recognisers read from disk. */
  scratchDirectory: string;
  /** How much of a file is in memory during an upload; S3 wants 5 MiB at least. Default 8 MiB, so at most 80 GB a file. */
  partBytes?: number;
}

const PART_BYTES = 8 * 1024 * 1024;

/**
 * Storage in a bucket of any S3-compatible store, under `media/<sha256>` and `audio/<sha256>`. A file is made and
 * hashed in scratch first, so its name is known before the upload, and S3 shows an object only when its upload is
 * complete: no temporary key is needed. A worker that dies in the middle leaves an incomplete multipart upload, which
 * the bucket's rule `AbortIncompleteMultipartUpload` should clear. Throws RetryableError `storage_failed`.
 */
export async function createS3Storage(options: S3StorageOptions): Promise<Storage> {
  const { scratchDirectory, partBytes = PART_BYTES } = options;
  const scratch = await openScratch(scratchDirectory);
  const client = createS3Client(options);
  const toName = (key: StorageKey) => {
    const { kind, sha256 } = splitKey(key);
    return `${kind}/${sha256}`;
  };

  return {
    async write(kind, content, writeOptions) {
      await using file = await scratch.write(content, writeOptions);
      const { sha256, bytes } = file;
      const key: StorageKey = `${kind}/${sha256}`;
      failpoint("before-rename");
      await upload(client, toName(key), file, { partBytes, signal: writeOptions.signal });
      failpoint("after-rename");
      return { key, sha256, bytes };
    },

    async openLocal(key, { signal }) {
      const { found, file } = await download({ client, scratch }, key, signal);
      if (file === null) throw toLost(key, found);
      return file;
    },

    has: (key) => client.has(toName(key)),

    async verify(key, { signal }) {
      const { found, file } = await download({ client, scratch }, key, signal);
      await file?.[Symbol.asyncDispose]();
      return found;
    },

    toUrl: (key, { expiresInSeconds }) => client.toUrl(toName(key), expiresInSeconds),
    async delete(key, { writtenBefore } = {}) {
      const name = toName(key);
      const writtenAt = writtenBefore === undefined ? null : await client.findWrittenAt(name);
      if (writtenAt !== null && writtenBefore !== undefined && writtenAt >= writtenBefore) return;
      await client.delete(name);
    },
    list: (kind) => listObjects(client, kind),
    createScratch: scratch.createDirectory,
  };
}

async function* listObjects(client: S3Client, kind: StoredKind): AsyncGenerator<ListedFile> {
  let next: string | undefined;
  do {
    const page = await client.list(kind, next);
    for (const { name, writtenAt } of page.objects) {
      const key = findKey(name);
      if (key !== null) yield { key, writtenAt };
    }
    next = page.next;
  } while (next !== undefined);
}

async function upload(
  client: S3Client,
  name: string,
  { path, bytes, sha256 }: ScratchFile,
  { partBytes, signal }: { partBytes: number; signal: AbortSignal },
): Promise<void> {
  const file = await guardDisk(() => open(path, "r"));
  const readPart = (offset: number) =>
    guardDisk(async () => {
      const part = Buffer.alloc(Math.min(partBytes, bytes - offset));
      await file.read(part, 0, part.byteLength, offset);
      return part;
    });
  try {
    if (bytes <= partBytes) await client.put(name, await readPart(0), { sha256, signal });
    else await client.putParts(name, readParts(readPart, bytes, partBytes), { signal });
  } finally {
    await guardDisk(() => file.close());
  }
}

async function* readParts(
  readPart: (offset: number) => Promise<Buffer>,
  bytes: number,
  partBytes: number,
): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes; offset += partBytes) yield await readPart(offset);
}

type Download =
  | { found: "whole"; file: LocalFile }
  | { found: Exclude<StoredCondition, "whole">; file: null };

async function download(
  { client, scratch }: { client: S3Client; scratch: Scratch },
  key: StorageKey,
  signal: AbortSignal,
): Promise<Download> {
  const { kind, sha256 } = splitKey(key);
  const content = await client.get(`${kind}/${sha256}`, { signal });
  if (content === null) return { found: "missing", file: null };
  const file = await scratch.write(content, { maxBytes: Number.POSITIVE_INFINITY, signal });
  if (file.sha256 === sha256) return { found: "whole", file };
  await file[Symbol.asyncDispose]();
  return { found: "damaged", file: null };
}
