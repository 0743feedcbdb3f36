import { type ClipmillError, type JobRef, type Outcome, toRetryDelayMs } from "@clipmill/domain";

/** A missing key or engine is put right by people; asking more often helps nobody. */
const UNCOUNTED_WAIT_MS = 30_000;

/** What the queue does with an error: the registry's disposition, and the attempts that are left. */
export function toOutcome(
  error: ClipmillError,
  job: JobRef & { attempts: number },
  { maxAttempts, random }: { maxAttempts: number; random: () => number },
): Outcome {
  const { id, epoch, attempts } = job;
  const what = {
    id,
    epoch,
    code: error.code,
    message: error.message,
    upstream: error.upstream ?? null,
  };
  switch (error.entry.disposition) {
    case "skip":
      return { ...what, kind: "skipped" };
    case "unrecoverable":
      return { ...what, kind: "failed" };
    case "retryable": {
      const { counts } = error.entry;
      if (counts && attempts + 1 >= maxAttempts) return { ...what, kind: "failed" };
      const retryAfterMs = error.retryAfterMs ?? (counts ? undefined : UNCOUNTED_WAIT_MS);
      return {
        ...what,
        kind: "retry",
        counts,
        delayMs: toRetryDelayMs({ attempts, retryAfterMs, random }),
      };
    }
  }
}
