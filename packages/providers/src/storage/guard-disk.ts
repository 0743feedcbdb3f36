import { ClipmillError, RetryableError } from "@clipmill/domain";

/** The disk's own errors become RetryableError `storage_failed` with the errno; paths stay in the cause. */
export async function guardDisk<T>(operation: () => Promise<T>): Promise<T> {
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

export function toNullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
