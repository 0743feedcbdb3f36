import type { WorkerRegistry } from "@clipmill/db";
import { type Log, QUEUE_NAMES, type QueueName } from "@clipmill/domain";
import { createErrorLog, type Hints, type Loop, sleep } from "@clipmill/queue";

/** Jobs of a queue that nobody dispatches are shown as waiting after 5 s. */
const REPORT_EVERY_MS = 2_000;

/** Tells the others that this process dispatches, and what keeps hints from the workers, until closed. */
export function startDispatchReport(
  registry: Pick<WorkerRegistry, "reportDispatch">,
  hints: Pick<Hints, "findTrouble">,
  log: Log,
): Loop {
  const onError = createErrorLog(log, "dispatch report failed");
  const abort = new AbortController();

  async function report(): Promise<void> {
    const troubles = QUEUE_NAMES.map(async (queue): Promise<[QueueName, string | null]> => [
      queue,
      await hints.findTrouble(queue),
    ]);
    await registry.reportDispatch(
      Object.fromEntries(await Promise.all(troubles)) as Record<QueueName, string | null>,
    );
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      await report().catch(onError);
      await sleep(REPORT_EVERY_MS, abort.signal);
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
