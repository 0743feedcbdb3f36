import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  failpoint,
  type ListedFile,
  type Storage,
  type StorageKey,
  type StoredKind,
} from "@clipmill/domain";
import { guardDisk, toNullIfMissing } from "./guard-disk.ts";
import { DIRECTORY_MODE, hashFile, openScratch } from "./scratch.ts";
import { findKey, splitKey, toLost } from "./storage-key.ts";

/**
 * Storage in a directory of this machine: `media/ab/<sha256>`, `audio/ab/<sha256>`, and `scratch/` for what is being
 * made. Scratch of the same file system, so that a rename is atomic. Opening it sweeps leftovers older than a day.
 * Throws RetryableError `storage_failed` when the disk does not obey.
 */
export async function createFileStorage({ directory }: { directory: string }): Promise<Storage> {
  await guardDisk(async () => {
    for (const name of ["media", "audio"]) {
      await mkdir(join(directory, name), { recursive: true, mode: DIRECTORY_MODE });
    }
  });
  const scratch = await openScratch(join(directory, "scratch"));
  const toPath = (key: StorageKey) => {
    const { kind, sha256 } = splitKey(key);
    // 256 directories a kind, so that ten million files make 40,000 entries in each.
    return join(directory, kind, sha256.slice(0, 2), sha256);
  };
  const verify = async (key: StorageKey, signal: AbortSignal) => {
    const path = toPath(key);
    if (!(await isFile(path))) return "missing";
    return (await hashFile(path, signal)) === splitKey(key).sha256 ? "whole" : "damaged";
  };

  return {
    async write(kind, content, options) {
      await using file = await scratch.write(content, options);
      const { sha256, bytes } = file;
      const key: StorageKey = `${kind}/${sha256}`;
      await guardDisk(() => moveSynced(file.path, toPath(key)));
      return { key, sha256, bytes };
    },

    async openLocal(key, { signal, verify: checked = false }) {
      signal.throwIfAborted();
      const path = toPath(key);
      const found = checked
        ? await verify(key, signal)
        : (await isFile(path))
          ? "whole"
          : "missing";
      if (found !== "whole") throw toLost(key, found);
      return { path, [Symbol.asyncDispose]: async () => {} };
    },

    has: (key) => isFile(toPath(key)),
    verify: (key, { signal }) => verify(key, signal),
    toUrl: async () => null,
    delete: (key, { writtenBefore } = {}) =>
      guardDisk(async () => {
        const path = toPath(key);
        const found = writtenBefore === undefined ? null : await stat(path).catch(toNullIfMissing);
        if (found !== null && writtenBefore !== undefined && found.mtime >= writtenBefore) return;
        await rm(path, { force: true });
      }),
    list: (kind) => listFiles(directory, kind),
    createScratch: scratch.createDirectory,
  };
}

async function* listFiles(directory: string, kind: StoredKind): AsyncGenerator<ListedFile> {
  for (const fan of await guardDisk(() => readdir(join(directory, kind)))) {
    for (const name of await guardDisk(() => readdir(join(directory, kind, fan)))) {
      const key = findKey(`${kind}/${name}`);
      if (key === null) continue;
      const found = await guardDisk(() =>
        stat(join(directory, kind, fan, name)).catch(toNullIfMissing),
      );
      if (found !== null) yield { key, writtenAt: found.mtime };
    }
  }
}

/** A rename survives a power cut only once its directory is synced, and a new directory only once its parent is. */
async function moveSynced(from: string, to: string): Promise<void> {
  failpoint("before-rename");
  const isMoved = await rename(from, to).then(() => true, toFalseIfMissing);
  if (!isMoved) {
    await mkdir(dirname(to), { recursive: true, mode: DIRECTORY_MODE });
    await rename(from, to);
    await syncDirectory(dirname(dirname(to)));
  }
  await syncDirectory(dirname(to));
  failpoint("after-rename");
}

/** The first file of 256 directories makes its own. */
function toFalseIfMissing(error: NodeJS.ErrnoException): false {
  if (error.code === "ENOENT") return false;
  throw error;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function isFile(path: string): Promise<boolean> {
  const found = await guardDisk(() => stat(path).catch(toNullIfMissing));
  return found?.isFile() ?? false;
}
