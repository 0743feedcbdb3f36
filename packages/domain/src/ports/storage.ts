import type { Sha256 } from "../ids.ts";

export type StoredKind = "media" | "audio";

/** `media/<sha256>` or `audio/<sha256>`: what is stored under a key hashes to it. */
export type StorageKey = `${StoredKind}/${Sha256}`;

export interface StoredFile {
  key: StorageKey;
  sha256: Sha256;
  bytes: number;
}

export interface ListedFile {
  key: StorageKey;
  /** Last time that the content was written, the same content again included. */
  writtenAt: Date;
}

/** Files too big for Postgres. Names come from the content's hash alone, never from outside. */
export interface Storage {
  /**
   * Hashes while it streams, and gives the file its name once it is whole: half a file is never visible. Nothing is
   * left behind on failure. Throws UnrecoverableError `too_large` past `maxBytes`. A piece of `content` is used up before
   * the next is asked for, so its memory may be used again.
   */
  write(
    kind: StoredKind,
    content: AsyncIterable<Uint8Array>,
    options: WriteOptions,
  ): Promise<StoredFile>;
  /**
   * A path that a child process can read until `dispose`. Throws RetryableError `storage_failed`; its `details.found`
   * is `missing` or `damaged` where the file itself is lost, and another try without fetching it anew is in vain.
   */
  openLocal(key: StorageKey, options: OpenOptions): Promise<LocalFile>;
  has(key: StorageKey): Promise<boolean>;
  /** Reads the whole file and compares its hash with its name. */
  verify(key: StorageKey, options: { signal: AbortSignal }): Promise<StoredCondition>;
  /** A link that anybody can read the file by until it expires, or null where the store has no links. */
  toUrl(key: StorageKey, options: { expiresInSeconds: number }): Promise<string | null>;
  /**
   * No error where there is none. `writtenBefore`: leaves a file that was written at that time or later, the same content
   * again included. Default: whenever it was written.
   */
  delete(key: StorageKey, options?: { writtenBefore?: Date }): Promise<void>;
  /** All files of a kind, in no order; one that comes or goes meanwhile may be listed or not. */
  list(kind: StoredKind): AsyncIterable<ListedFile>;
  /** A directory of its own for one job's scratch files, gone after `dispose`. */
  createScratch(): Promise<LocalFile>;
}

export type StoredCondition = "whole" | "damaged" | "missing";

export interface WriteOptions {
  maxBytes: number;
  signal: AbortSignal;
}

export interface OpenOptions {
  signal: AbortSignal;
  /** Hash the file first, so that a damaged one is found: about 1 s for 500 MB. Default false; a download always is. */
  verify?: boolean;
}

export interface LocalFile extends AsyncDisposable {
  readonly path: string;
}
