import {
  RetryableError,
  Sha256,
  type StorageKey,
  type StoredCondition,
  type StoredKind,
  UnrecoverableError,
} from "@clipmill/domain";

/** Both parts of a key. Throws UnrecoverableError `invalid_input`: whatever is no key never becomes a path. */
export function splitKey(key: StorageKey): { kind: StoredKind; sha256: Sha256 } {
  const [kind = "", sha256 = ""] = key.split("/");
  if (
    key !== `${kind}/${sha256}` ||
    (kind !== "media" && kind !== "audio") ||
    !Sha256.safeParse(sha256).success
  ) {
    throw new UnrecoverableError("invalid_input", "a storage key is malformed");
  }
  return { kind, sha256 };
}

/** The file is lost: whoever needs it must have it made anew. */
export function toLost(key: StorageKey, found: Exclude<StoredCondition, "whole">): RetryableError {
  const message = found === "missing" ? "a stored file is missing" : "a stored file is damaged";
  return new RetryableError("storage_failed", message, { details: { key, found } });
}
