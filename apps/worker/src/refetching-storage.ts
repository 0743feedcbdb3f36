import {
  ClipmillError,
  type Log,
  RetryableError,
  type Storage,
  type StorageKey,
} from "@clipmill/domain";

export interface Refetching {
  /** Has the file made again; see `createRefetch`. */
  refetch(key: StorageKey): Promise<number>;
  log: Log;
}

/** Time for the file to come back; what still waits for it then finds it, or asks again. */
const RETRY_AFTER_MS = 15_000;

/**
 * Storage whose files are hashed before they are used, and fetched again when they are lost: deleted by retention,
 * by hand, or damaged on the disk. The one who needs it gets `storage_failed` and tries again.
 */
export function createRefetchingStorage(storage: Storage, { refetch, log }: Refetching): Storage {
  return {
    ...storage,
    async openLocal(key, options) {
      try {
        return await storage.openLocal(key, { ...options, verify: true });
      } catch (cause) {
        const found = cause instanceof ClipmillError ? cause.details["found"] : undefined;
        if (found !== "missing" && found !== "damaged") throw cause;
        if (found === "damaged") await storage.delete(key);
        const jobs = await refetch(key);
        log.warn({ key, found, jobs }, "stored file lost, fetching it again");
        const message = `a stored file is ${found} and is fetched again`;
        throw new RetryableError("storage_failed", message, {
          cause,
          retryAfterMs: RETRY_AFTER_MS,
          details: { key, found },
        });
      }
    },
  };
}
