import {
  RetryableError,
  type Sha256,
  type StorageKey,
  type StoredCondition,
  type StoredKind,
  UnrecoverableError,
} from "@clipmill/domain";

/** The key, or null for a name that is none. */
export function findKey(name: string): StorageKey | null {
  const key = /^(media|audio)\/[0-9a-f]{64}$/.test(name);
  return key ? (name as StorageKey) : null;
}

/** Both parts of a key. Throws UnrecoverableError `invalid_input`: whatever is no key never becomes a path. */
export function splitKey(key: StorageKey): { kind: StoredKind; sha256: Sha256 } {
  if (findKey(key) === null) {
    throw new UnrecoverableError("invalid_input", "a storage key is malformed");
  }
  const [kind, sha256 = ""] = key.split("/");
  return { kind: kind === "audio" ? "audio" : "media", sha256 };
}

/** The file is lost: whoever needs it must have it made anew. */
export function toLost(key: StorageKey, found: Exclude<StoredCondition, "whole">): RetryableError {
  const message = found === "missing" ? "a stored file is missing" : "a stored file is damaged";
  return new RetryableError("storage_failed", message, { details: { key, found } });
}
