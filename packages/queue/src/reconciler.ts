import type { Log, WorkStore } from "@clipmill/domain";
import type { Loop } from "./dispatcher.ts";
import type { Hints } from "./hints.ts";
import { sleep } from "./sleep.ts";
import { createErrorLog } from "./throttled-log.ts";

export interface ReconcilerDeps {
  work: Pick<WorkStore, "reconcile" | "requeueAll">;
  hints: Pick<Hints, "isIntact">;
  /** A lost lease is found at most this much later. Default 5 s. */
  intervalMs?: number;
  log: Log;
}

const INTERVAL_MS = 5_000;

/** Repairs what died, every few seconds. Any number of reconcilers may run. */
export function createReconciler({
  work,
  hints,
  intervalMs = INTERVAL_MS,
  log,
}: ReconcilerDeps): Loop {
  const report = createErrorLog(log, "reconcile failed");
  const abort = new AbortController();

  async function reconcile(): Promise<void> {
    const wiped = (await hints.isIntact()) ? 0 : await work.requeueAll();
    const counts = { ...(await work.reconcile()), wiped };
    if (Object.values(counts).some((count) => count > 0)) log.warn(counts, "work reconciled");
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        await reconcile();
      } catch (error) {
        report(error);
      }
      await sleep(intervalMs, abort.signal);
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
