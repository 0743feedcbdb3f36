import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  ClipmillError,
  failpoint,
  type LocalFile,
  RetryableError,
  Sha256,
  type Storage,
  type StorageKey,
  type StoredFile,
  type StoredKind,
  UnrecoverableError,
  type WriteOptions,
} from "@clipmill/domain";
import { sweepScratch } from "./sweep-scratch.ts";

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * Storage in a directory of this machine: `media/ab/<sha256>`, `audio/ab/<sha256>`, and `scratch/` for what is being
 * made. Scratch of the same file system, so that a rename is atomic. Opening it sweeps leftovers older than a day.
 * Throws RetryableError `storage_failed` when the disk does not obey.
 */
export async function createFileStorage({ directory }: { directory: string }): Promise<Storage> {
  const scratch = join(directory, "scratch");
  await guardDisk(async () => {
    for (const name of ["media", "audio", "scratch"]) {
      await mkdir(join(directory, name), { recursive: true, mode: DIRECTORY_MODE });
    }
    await sweepScratch(scratch);
  });
  const toPath = (key: StorageKey) => join(directory, ...splitKey(key));

  return {
    write: (kind, content, options) => write({ directory, scratch }, kind, content, options),

    async openLocal(key, { signal }) {
      signal.throwIfAborted();
      const path = toPath(key);
      if (!(await isFile(path))) {
        throw new RetryableError("storage_failed", "a stored file is missing", {
          details: { key },
        });
      }
      return { path, [Symbol.asyncDispose]: async () => {} };
    },

    has: (key) => isFile(toPath(key)),

    delete: (key) => guardDisk(() => rm(toPath(key), { force: true })),

    createScratch: () =>
      guardDisk(async (): Promise<LocalFile> => {
        const path = await mkdtemp(join(scratch, "job-"));
        return {
          path,
          [Symbol.asyncDispose]: () => guardDisk(() => rm(path, { recursive: true, force: true })),
        };
      }),
  };
}

async function write(
  places: { directory: string; scratch: string },
  kind: StoredKind,
  content: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<StoredFile> {
  const temporary = join(places.scratch, `write-${randomUUID()}`);
  try {
    const { sha256, bytes } = await writeSynced(temporary, content, options);
    const key: StorageKey = `${kind}/${sha256}`;
    await guardDisk(() => moveSynced(temporary, join(places.directory, ...splitKey(key))));
    return { key, sha256, bytes };
  } finally {
    await guardDisk(() => rm(temporary, { force: true }));
  }
}

/** Only the disk's own errors become `storage_failed`; what `content` throws is its caller's to classify. */
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

/** A rename survives a power cut only once its directory is synced, and a new directory only once its parent is. */
async function moveSynced(from: string, to: string): Promise<void> {
  const created = await mkdir(dirname(to), { recursive: true, mode: DIRECTORY_MODE });
  failpoint("before-rename");
  await rename(from, to);
  await syncDirectory(dirname(to));
  if (created !== undefined) await syncDirectory(dirname(dirname(to)));
  failpoint("after-rename");
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** 256 directories a kind, so that ten million files make 40,000 entries in each. */
function splitKey(key: StorageKey): [kind: string, fan: string, sha256: string] {
  const [kind = "", sha256 = ""] = key.split("/");
  const isKey = key === `${kind}/${sha256}` && (kind === "media" || kind === "audio");
  if (!isKey || !Sha256.safeParse(sha256).success) {
    throw new UnrecoverableError("invalid_input", "a storage key is malformed");
  }
  return [kind, sha256.slice(0, 2), sha256];
}

async function isFile(path: string): Promise<boolean> {
  const found = await guardDisk(() => stat(path).catch(toNullIfMissing));
  return found?.isFile() ?? false;
}

function toNullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

async function guardDisk<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (cause instanceof ClipmillError) throw cause;
    const { code = "unknown" } = cause as NodeJS.ErrnoException;
    throw new RetryableError("storage_failed", `the storage directory failed with ${code}`, {
      cause,
      details: { errno: code },
    });
  }
}
