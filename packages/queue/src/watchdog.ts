import type { Log } from "@clipmill/domain";
import type { Hints } from "./hints.ts";
import type { QueueWorker } from "./queue-worker.ts";

/** What the watchdog looks at: one queue of this process. */
export type WatchedQueue = Pick<QueueWorker, "queue" | "lastTakenAt" | "isFull">;

export interface WatchdogOptions {
  queues: readonly WatchedQueue[];
  hints: Pick<Hints, "countWaiting">;
  log: Log;
  /** Ends the process, so that whoever started it starts it anew. */
  leave(): void;
  now?: () => number;
}

/** BullMQ workers were seen to stay connected and take nothing after an outage (its issues 4585, 4479, 3088). */
const STUCK_AFTER_MS = 60_000;
const CHECK_EVERY_MS = 10_000;

/** Leaves when a queue has work, a slot is free, and nothing was taken for a minute. */
export function createWatchdog(options: WatchdogOptions): {
  check(): Promise<void>;
  close(): void;
} {
  const { queues, hints, log, leave, now = Date.now } = options;

  async function check(): Promise<void> {
    for (const watched of queues) {
      const idleMs = now() - watched.lastTakenAt();
      if (idleMs < STUCK_AFTER_MS || watched.isFull()) continue;
      const waitingCount = await hints.countWaiting(watched.queue).catch(() => 0);
      if (waitingCount === 0) continue;
      log.error(
        { queue: watched.queue, waitingCount, idleMs },
        "worker takes nothing while work waits: leaving",
      );
      leave();
      return;
    }
  }

  const timer = setInterval(() => void check(), CHECK_EVERY_MS);
  return { check, close: () => clearInterval(timer) };
}
