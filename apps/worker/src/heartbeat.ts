import type { WorkerRegistry, WorkerReport } from "@clipmill/db";
import type { Log } from "@clipmill/domain";

/**
 * Jobs of a queue that no worker reports to drain for 5 s are shown as waiting for one. A worker that is silent for 15 s
 * counts as gone.
 */
const REPORT_EVERY_MS = 2_000;

/** Tells the others that this worker is alive, until closed. The first report is in when this resolves. */
export async function startHeartbeat(
  registry: WorkerRegistry,
  worker: WorkerReport,
  log: Log,
): Promise<{ close(): Promise<void> }> {
  await registry.report(worker);
  const timer = setInterval(() => {
    registry
      .report(worker)
      .catch((error: unknown) => log.warn({ err: error }, "worker report failed"));
  }, REPORT_EVERY_MS);
  return {
    async close() {
      clearInterval(timer);
      await registry.remove(worker.id);
    },
  };
}
