import type { Log } from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import type { QueueWorker } from "../bullmq/queue-worker.ts";

/** What the watchdog looks at: one queue of this process. */
export type WatchedQueue = Pick<QueueWorker, "queue" | "lastTakenAt" | "isFull">;

export interface WatchdogOptions {
  queues: readonly WatchedQueue[];
  hints: Pick<Hints, "countWaiting" | "isHeldBack">;
  log: Log;
  /** Ends the process, what it does given back, so that whoever started it starts it again. */
  leave(): void;
  /** Ms since any moment. Default: a clock that nobody sets. */
  now?: () => number;
}

/** After an outage BullMQ workers were seen to stay connected and take nothing (its issues 4585, 4479, 3088). */
const STUCK_AFTER_MS = 60_000;
const CHECK_EVERY_MS = 10_000;
/** A check that comes later than this was held up with its whole process, which could take nothing meanwhile. */
const PAUSED_AFTER_MS = 2 * CHECK_EVERY_MS;

/** A queue that was seen with waiting work and a free slot, and has taken nothing since. */
interface Stall {
  sinceMs: number;
  lastTakenAt: number;
}

interface Watch extends WatchdogOptions {
  now: () => number;
  readonly stalls: Map<WatchedQueue, Stall>;
  checkedAtMs: number;
}

/** Leaves when a queue took nothing for a minute in which it was not paused, work waited, and a slot was free. */
export function createWatchdog(options: WatchdogOptions): {
  check(): Promise<void>;
  close(): void;
} {
  const now = options.now ?? (() => performance.now());
  const watch: Watch = { ...options, now, stalls: new Map(), checkedAtMs: now() };
  const timer = setInterval(() => void check(watch), CHECK_EVERY_MS);
  return { check: () => check(watch), close: () => clearInterval(timer) };
}

async function check(watch: Watch): Promise<void> {
  const atMs = watch.now();
  if (atMs - watch.checkedAtMs > PAUSED_AFTER_MS) watch.stalls.clear();
  watch.checkedAtMs = atMs;
  for (const watched of watch.queues) {
    const waitingCount = await countTakeable(watch, watched);
    const stuckMs = toStuckMs(watch, watched, { waitingCount, atMs });
    if (stuckMs < STUCK_AFTER_MS) continue;
    watch.log.error(
      { queue: watched.queue, waitingCount, stuckMs },
      "worker takes nothing while work waits: leaving",
    );
    watch.leave();
    return;
  }
}

/**
 * Hints that this worker could take now. None where all its slots are busy, where somebody has paused the queue, or where
 * the queue does not answer: then nothing is known to be wrong.
 */
async function countTakeable({ hints }: Watch, watched: WatchedQueue): Promise<number> {
  if (watched.isFull()) return 0;
  try {
    const waitingCount = await hints.countWaiting(watched.queue);
    return waitingCount > 0 && (await hints.isHeldBack(watched.queue)) ? 0 : waitingCount;
  } catch {
    return 0;
  }
}

function toStuckMs(
  { stalls }: Watch,
  watched: WatchedQueue,
  { waitingCount, atMs }: { waitingCount: number; atMs: number },
): number {
  if (waitingCount === 0) {
    stalls.delete(watched);
    return 0;
  }
  const lastTakenAt = watched.lastTakenAt();
  const stall = stalls.get(watched);
  if (stall?.lastTakenAt === lastTakenAt) return atMs - stall.sinceMs;
  stalls.set(watched, { sinceMs: atMs, lastTakenAt });
  return 0;
}
