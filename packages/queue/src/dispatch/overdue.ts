import type { Log, WorkStore } from "@clipmill/domain";
import type { Loop } from "./dispatcher.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";

const INTERVAL_MS = 5_000;

/** Fails jobs that have waited too long for what is not there, every 5 s. Any number of processes may run it. */
export function createOverdueLoop({
  work,
  log,
  intervalMs = INTERVAL_MS,
}: {
  work: Pick<WorkStore, "failOverdue">;
  log: Log;
  /** Default 5 s. */
  intervalMs?: number;
}): Loop {
  const onError = createErrorLog(log, "overdue jobs not failed");
  const abort = new AbortController();

  async function failAll(): Promise<void> {
    for (;;) {
      const count = await work.failOverdue();
      if (count === 0) return;
      log.warn({ count }, "jobs waited too long for what is not there, and failed");
      if (abort.signal.aborted) return;
    }
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      await failAll().catch(onError);
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
