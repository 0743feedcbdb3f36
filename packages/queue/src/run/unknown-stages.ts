import type { ClaimedJob, Log, Outcome } from "@clipmill/domain";
import { createErrorLog } from "../throttled-log.ts";

/** What becomes of jobs whose stage this program does not know: they were stored by another version of it. */
export interface UnknownStages {
  /** Left to a worker that knows the stage, and failed where none has taken it for an hour. */
  toOutcome(job: ClaimedJob): Outcome;
}

/** How long such a job waits before it is offered again. */
const OFFERED_EVERY_MS = 10_000;
/** A rolling upgrade takes minutes. */
const FAILED_AFTER_MS = 60 * 60_000;
/** A job that was not offered here for so long was in other hands meanwhile, and begins anew. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;
const REMEMBERED_MAX = 10_000;

export function createUnknownStages(
  log: Log,
  now: () => number = () => performance.now(),
): UnknownStages {
  const report = createErrorLog(log, "stage unknown to this worker", now);
  const seen = new Map<number, { firstMs: number; lastMs: number }>();

  function toKnownForMs({ id }: ClaimedJob): number {
    const nowMs = now();
    const before = seen.get(id);
    const isKnown = before !== undefined && nowMs - before.lastMs < FORGOTTEN_AFTER_MS;
    const firstMs = isKnown ? before.firstMs : nowMs;
    // The last place is that of the latest: the first one is forgotten first.
    seen.delete(id);
    seen.set(id, { firstMs, lastMs: nowMs });
    for (const [oldest] of seen) {
      if (seen.size <= REMEMBERED_MAX) break;
      seen.delete(oldest);
    }
    return nowMs - firstMs;
  }

  return {
    toOutcome(job) {
      const what = {
        id: job.id,
        epoch: job.epoch,
        code: "engine_unavailable",
        message: `no running worker knows the stage ${job.stage.slice(0, 100)}: start the version of clipmill that has it`,
        upstream: null,
      } as const;
      report(new Error(what.message));
      if (toKnownForMs(job) < FAILED_AFTER_MS)
        return { ...what, kind: "released", delayMs: OFFERED_EVERY_MS };
      seen.delete(job.id);
      return { ...what, kind: "failed" };
    },
  };
}
