import {
  type Log,
  type Overflow,
  QUEUE_NAMES,
  type QueueName,
  type WorkStore,
} from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";

export interface DispatcherDeps {
  work: Pick<WorkStore, "dispatch" | "return">;
  hints: Pick<Hints, "push" | "countWaiting">;
  /** Resolves true at a notification of ready work, false after the time; `cancel` ends the wait. */
  nextReady(queue: QueueName, timeoutMs: number): { promise: Promise<boolean>; cancel(): void };
  /** Hints that may wait in a queue. Too few starve workers; too many make urgent work and shares wait. */
  window: Readonly<Record<QueueName, number>>;
  log: Log;
}

export interface Loop {
  close(): Promise<void>;
}

/** While there is work, room in the window is looked for this often: claims make room without telling. */
const BUSY_POLL_MS = 15;
/** As often where the window stays nearly full: a few hints at a time cost as much as many. */
const FULL_POLL_MS = 60;
/** A window is nearly full when less than this part of it was refilled. */
const REFILLED_LITTLE = 1 / 4;
/** Retries and lost notifications are found this often. */
const IDLE_POLL_MS = 250;
const FAILED_POLL_MS = 1_000;
/**
 * Hints of a queue that nobody drains time out, and each dispatch leaves another one behind: past so many windows of
 * them there is no dispatch, until somebody takes them. Looked at this often.
 */
const CROWDED_WINDOWS = 4;
const CROWD_CHECK_MS = 5_000;
/**
 * After a notification that found nothing to dispatch, ignore further ones for 20 ms: another dispatcher was faster, or
 * the window is full.
 */
const NOTIFY_COOLDOWN_MS = 20;

/** Feeds each queue a small window from Postgres. Any number of dispatchers may run. */
export function createDispatcher({ work, hints, nextReady, window, log }: DispatcherDeps): Loop {
  const report = createErrorLog(log, "dispatch failed");
  const cancels = new Set<() => void>();
  const stop = new AbortController();
  let closed = false;

  /** Each job dispatched in its turn allows one overflow later, so at most half of what is dispatched overflows. */
  async function dispatch(queue: QueueName, overflow: Overflow): Promise<number> {
    const dispatched = await work.dispatch(queue, window[queue], { ...overflow });
    if (dispatched.length === 0) return 0;
    try {
      await hints.push(queue, dispatched);
    } catch (error) {
      await work.return(dispatched);
      throw error;
    }
    const overflowed = dispatched.filter((job) => job.overflow).length;
    const inTurn = dispatched.length - overflowed;
    overflow.allowed = Math.min(window[queue], overflow.allowed + inTurn) - overflowed;
    overflow.made = inTurn > 0 ? overflowed : overflow.made + overflowed;
    return dispatched.length;
  }

  function createCrowdCheck(queue: QueueName): () => Promise<boolean> {
    let isCrowded = false;
    let checkedAt = Number.NEGATIVE_INFINITY;
    return async () => {
      if (performance.now() - checkedAt < CROWD_CHECK_MS) return isCrowded;
      checkedAt = performance.now();
      isCrowded = (await hints.countWaiting(queue)) > CROWDED_WINDOWS * window[queue];
      return isCrowded;
    };
  }

  async function run(queue: QueueName): Promise<void> {
    const isCrowded = createCrowdCheck(queue);
    const overflow: Overflow = { allowed: 0, made: 0 };
    let pauseMs = BUSY_POLL_MS;
    let isNotified = false;
    while (!closed) {
      // Listening starts before looking, so that what becomes ready in between is not missed.
      const notification = nextReady(queue, IDLE_POLL_MS);
      cancels.add(notification.cancel);
      let isCoolingDown = false;
      try {
        const count = (await isCrowded()) ? 0 : await dispatch(queue, overflow);
        pauseMs = toPauseMs(pauseMs, count, window[queue]);
        isCoolingDown = isNotified && count === 0;
      } catch (error) {
        report(error);
        pauseMs = FAILED_POLL_MS;
      }
      const pause: Promise<boolean> = sleep(
        isCoolingDown ? NOTIFY_COOLDOWN_MS : pauseMs,
        stop.signal,
      ).then(() => false);
      if (!closed)
        isNotified = await (isCoolingDown ? pause : Promise.race([notification.promise, pause]));
      notification.cancel();
      cancels.delete(notification.cancel);
    }
  }

  const loops = Promise.all(QUEUE_NAMES.map(run));
  return {
    async close() {
      closed = true;
      stop.abort();
      for (const cancel of cancels) cancel();
      await loops;
    },
  };
}

function toPauseMs(lastMs: number, count: number, window: number): number {
  if (count === 0) return Math.min(IDLE_POLL_MS, lastMs * 2);
  if (count >= window * REFILLED_LITTLE) return BUSY_POLL_MS;
  return Math.min(FULL_POLL_MS, Math.max(BUSY_POLL_MS, lastMs * 2));
}
