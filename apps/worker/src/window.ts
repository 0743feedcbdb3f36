import type { WorkerRegistry } from "@clipmill/db";
import { type Log, QUEUE_NAMES, type QueueName } from "@clipmill/domain";

/**
 * Hints that may stand in a queue, per slot of the workers that drain it: enough that no slot waits for the
 * dispatcher, few enough that urgent work is not behind many.
 */
const HINTS_PER_SLOT = 3;
const REFRESH_EVERY_MS = 5_000;

export interface DispatchWindow {
  /** Kept up to date in place. */
  readonly size: Readonly<Record<QueueName, number>>;
  close(): void;
}

/** Follows the slots of all live workers; until they are known, and for queues that nobody drains, this process's own count. */
export async function createDispatchWindow(
  registry: Pick<WorkerRegistry, "countSlots">,
  ownSlots: Readonly<Record<QueueName, number>>,
  log: Log,
): Promise<DispatchWindow> {
  const size = { ...ownSlots };

  async function refresh(): Promise<void> {
    const slots = await registry.countSlots();
    for (const queue of QUEUE_NAMES)
      size[queue] = HINTS_PER_SLOT * (slots[queue] ?? ownSlots[queue]);
  }

  await refresh();
  const timer = setInterval(() => {
    refresh().catch((error: unknown) => log.warn({ err: error }, "worker slots not counted"));
  }, REFRESH_EVERY_MS);
  return { size, close: () => clearInterval(timer) };
}
