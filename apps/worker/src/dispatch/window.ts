import type { WorkerRegistry } from "@clipmill/db";
import { type Log, QUEUE_NAMES, type QueueName } from "@clipmill/domain";

/**
 * Hints that may stand in a queue, per slot of the workers that drain it: enough that no slot waits for the
 * dispatcher, few enough that urgent work is not behind many.
 */
const HINTS_PER_SLOT = 3;
/** How far the work that makes files runs ahead, in windows of the queue that uses them, and in jobs at least. */
const WINDOWS_AHEAD = 8;
const JOBS_AHEAD_MIN = 64;
const REFRESH_EVERY_MS = 5_000;

export interface DispatchWindow {
  /** Kept up to date in place. */
  readonly size: Readonly<Record<QueueName, number>>;
  /** How many jobs may be ready in a queue before those that feed it are held. Kept up to date in place, too. */
  readonly ahead: Readonly<Record<QueueName, number>>;
  close(): void;
}

/** Follows the slots of all live workers; until they are known, and for queues that nobody drains, this process's own count. */
export async function createDispatchWindow(
  registry: Pick<WorkerRegistry, "countSlots">,
  ownSlots: Readonly<Record<QueueName, number>>,
  log: Log,
): Promise<DispatchWindow> {
  const size = { ...ownSlots };
  const ahead = { ...ownSlots };

  async function refresh(): Promise<void> {
    const slots = await registry.countSlots();
    for (const queue of QUEUE_NAMES) {
      size[queue] = HINTS_PER_SLOT * (slots[queue] ?? ownSlots[queue]);
      ahead[queue] = Math.max(JOBS_AHEAD_MIN, WINDOWS_AHEAD * size[queue]);
    }
  }

  await refresh();
  const timer = setInterval(() => {
    refresh().catch((error: unknown) => log.warn({ err: error }, "worker slots not counted"));
  }, REFRESH_EVERY_MS);
  return { size, ahead, close: () => clearInterval(timer) };
}
