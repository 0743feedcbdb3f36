import type { Sha256 } from "../ids.ts";

export type StoredKind = "media" | "audio";

/** `media/<sha256>` or `audio/<sha256>`: what is stored under a key hashes to it. */
export type StorageKey = `${StoredKind}/${Sha256}`;

export interface StoredFile {
  key: StorageKey;
  sha256: Sha256;
  bytes: number;
}

/** Files too big for Postgres. Names come from the content's hash alone, never from outside. */
export interface Storage {
  /**
   * Streams into a temporary file, hashes on the way, syncs, renames. Nothing is left behind on failure.
   * Throws UnrecoverableError `too_large` past `maxBytes`.
   */
  write(
    kind: StoredKind,
    content: AsyncIterable<Uint8Array>,
    options: WriteOptions,
  ): Promise<StoredFile>;
  /** A path that a child process can read until `dispose`. Throws RetryableError `storage_failed` when it is missing. */
  openLocal(key: StorageKey, options: { signal: AbortSignal }): Promise<LocalFile>;
  has(key: StorageKey): Promise<boolean>;
  delete(key: StorageKey): Promise<void>;
  /** A directory of its own for one job's scratch files, gone after `dispose`. */
  createScratch(): Promise<LocalFile>;
}

export interface WriteOptions {
  maxBytes: number;
  signal: AbortSignal;
}

export interface LocalFile extends AsyncDisposable {
  readonly path: string;
}
