import type { Log } from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import type { QueueWorker } from "../bullmq/queue-worker.ts";

/** What the watchdog looks at: one queue of this process. */
export type WatchedQueue = Pick<QueueWorker, "queue" | "lastTakenAt" | "isFull">;

export interface WatchdogOptions {
  queues: readonly WatchedQueue[];
  hints: Pick<Hints, "countWaiting">;
  log: Log;
  /** Ends the process, so that whoever started it starts it anew. */
  leave(): void;
  /** Ms since any moment. Default: a clock that nobody sets. */
  now?: () => number;
}

/** BullMQ workers were seen to stay connected and take nothing after an outage (its issues 4585, 4479, 3088). */
const STUCK_AFTER_MS = 60_000;
const CHECK_EVERY_MS = 10_000;
/** A check that is later than this was held up with its process, which could not have taken anything either. */
const PAUSED_AFTER_MS = 2 * CHECK_EVERY_MS;

/** Since when a queue is seen with work, a free slot and nothing taken. */
interface Stall {
  sinceMs: number;
  lastTakenAt: number;
}

/** Leaves when a queue was seen for a minute with work and a free slot, and nothing was taken meanwhile. */
export function createWatchdog(options: WatchdogOptions): {
  check(): Promise<void>;
  close(): void;
} {
  const { queues, hints, log, leave, now = () => performance.now() } = options;
  const stalls = new Map<WatchedQueue, Stall>();
  let checkedAtMs = now();

  async function check(): Promise<void> {
    const atMs = now();
    if (atMs - checkedAtMs > PAUSED_AFTER_MS) stalls.clear();
    checkedAtMs = atMs;
    for (const watched of queues) {
      const waitingCount = watched.isFull()
        ? 0
        : await hints.countWaiting(watched.queue).catch(() => 0);
      if (waitingCount === 0) {
        stalls.delete(watched);
        continue;
      }
      const lastTakenAt = watched.lastTakenAt();
      const stall = stalls.get(watched);
      if (stall?.lastTakenAt !== lastTakenAt) {
        stalls.set(watched, { sinceMs: atMs, lastTakenAt });
        continue;
      }
      const stuckMs = atMs - stall.sinceMs;
      if (stuckMs < STUCK_AFTER_MS) continue;
      log.error(
        { queue: watched.queue, waitingCount, stuckMs },
        "worker takes nothing while work waits: leaving",
      );
      leave();
      return;
    }
  }

  const timer = setInterval(() => void check(), CHECK_EVERY_MS);
  return { check, close: () => clearInterval(timer) };
}
