import type { Log, WorkStore } from "@clipmill/domain";
import type { Loop } from "./dispatcher.ts";
import type { Hints } from "../bullmq/hints.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";

export interface ReconcilerDeps {
  work: Pick<
    WorkStore,
    "reconcile" | "expireDeadlines" | "requeueAll" | "replanStranded" | "endChildren"
  >;
  hints: Pick<Hints, "isIntact">;
  /** A lost lease is found at most this much later. Default 5 s. */
  intervalMs?: number;
  log: Log;
}

const INTERVAL_MS = 5_000;
/** Of a long list in one log line. */
const SHOWN_MAX = 20;
/** By default 15 s: leases of 30 s are extended every ten. */
const SPARED_INTERVALS = 3;

/** Repairs what died, every few seconds. Any number of reconcilers may run. */
export function createReconciler({
  work,
  hints,
  intervalMs = INTERVAL_MS,
  log,
}: ReconcilerDeps): Loop {
  const report = createErrorLog(log, "reconcile failed");
  const abort = new AbortController();

  let sparedUntil = 0;
  let toldLeft: ReadonlySet<string> = new Set();

  /** While Postgres was away nobody could extend a lease: each gets the time to. */
  async function repair(): Promise<void> {
    try {
      const spareLeases = performance.now() < sparedUntil;
      const { failures = [], ...counts } = await work.reconcile({ spareLeases });
      tell(counts);
      for (const failure of failures) report(failure);
    } catch (error) {
      sparedUntil = performance.now() + SPARED_INTERVALS * intervalMs;
      throw error;
    }
  }

  async function expire(): Promise<void> {
    tell({ missed: await work.expireDeadlines() });
  }

  async function endChildren(): Promise<void> {
    tell({ childrenEnded: await work.endChildren() });
  }

  /** Each was left by a fault of ours or by another version of the program: somebody should know. */
  async function replan(): Promise<void> {
    const { replanned, left } = await work.replanStranded();
    if (replanned.length > 0)
      log.error(
        { requestIds: replanned.slice(0, SHOWN_MAX), count: replanned.length },
        "open requests had no work, planned anew",
      );
    // Found anew in each round; said once.
    const untold = left.filter((id) => !toldLeft.has(id));
    toldLeft = new Set(left);
    if (untold.length > 0)
      log.warn(
        { requestIds: untold.slice(0, SHOWN_MAX), count: untold.length },
        "open requests of an unknown kind have no work",
      );
  }

  async function refill(): Promise<void> {
    if (!(await hints.isIntact())) tell({ wiped: await work.requeueAll() });
  }

  function tell(counts: Record<string, number>): void {
    if (Object.values(counts).some((count) => count > 0)) log.warn(counts, "work reconciled");
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      // Each for itself: the first needs no queue, and the second waits for whoever settles one of its jobs.
      for (const part of [repair, expire, refill, endChildren, replan]) await part().catch(report);
      const pausedAt = Date.now();
      await sleep(intervalMs, abort.signal);
      // This machine slept, or this process was stopped, and perhaps its workers with it. By the clock on the wall: the
      // other one stands still meanwhile.
      if (Date.now() - pausedAt > SPARED_INTERVALS * intervalMs)
        sparedUntil = performance.now() + SPARED_INTERVALS * intervalMs;
    }
  }

  const loop = run();
  return {
    async close() {
      abort.abort();
      await loop;
    },
  };
}
