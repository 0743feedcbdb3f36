import type { Accepted, Submission, WorkStore } from "@clipmill/domain";
import { createGroupCommit } from "@clipmill/queue";

/** Stores what callers send one by one, many in one commit, and refuses what comes faster than that. */
export interface Accepting {
  /**
   * Rejects with RetryableError `unavailable` where too much waits already; with the signal's reason where the caller is
   * gone before its submission was sent to the database. Else as `WorkStore.accept`.
   */
  accept(submission: Submission, signal: AbortSignal): Promise<Accepted>;
}

/** Of one commit. Fifty callers who want the same thing are then one statement, and a tenant's row is locked once. */
const BATCH_MAX = 100;
/** One is prepared while Postgres writes the other. */
const FLUSHES = 2;
/**
 * Callers give up after some ten seconds, and then ask again: whoever would be answered later than that costs twice. A
 * line that a busy server does not get through in 2 s is refused from its end instead.
 */
const LIMITS = { maxItems: 500, maxMs: 2_000 };

/** `limits`: default 500 submissions and 2 s. */
export function createAccepting(
  work: Pick<WorkStore, "accept">,
  limits: { maxItems: number; maxMs: number } = LIMITS,
): Accepting {
  const batches = createGroupCommit<Submission, Accepted>({
    maxItems: BATCH_MAX,
    maxFlushes: FLUSHES,
    limits,
    flush: (submissions) => work.accept(submissions),
  });
  return { accept: (submission, signal) => batches.add(submission, signal) };
}
