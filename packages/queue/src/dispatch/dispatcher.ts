import {
  type Log,
  type Passes,
  QUEUE_NAMES,
  type QueueName,
  type WorkStore,
} from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";

export interface DispatcherDeps {
  work: Pick<WorkStore, "pick" | "unpick">;
  hints: Pick<Hints, "push" | "countWaiting">;
  /** Resolves true at news of ready work, false after the time; `cancel` ends the wait. */
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
/** News that led to nothing: another dispatcher was faster, or the window is full. The next news are not worth waking for. */
const DEAF_MS = 20;

/** Feeds each queue a small window from Postgres. Any number of dispatchers may run. */
export function createDispatcher({ work, hints, nextReady, window, log }: DispatcherDeps): Loop {
  const report = createErrorLog(log, "dispatch failed");
  const cancels = new Set<() => void>();
  const stop = new AbortController();
  let closed = false;

  /** Whoever is picked in turn lets one job pass later: passing is never more than half of what is dispatched. */
  async function dispatch(queue: QueueName, passes: Passes): Promise<number> {
    const picked = await work.pick(queue, window[queue], { ...passes });
    if (picked.length === 0) return 0;
    try {
      await hints.push(queue, picked);
    } catch (error) {
      await work.unpick(picked);
      throw error;
    }
    const passed = picked.filter(({ passing }) => passing).length;
    const inTurn = picked.length - passed;
    passes.allowed = Math.min(window[queue], passes.allowed + inTurn) - passed;
    passes.made = inTurn > 0 ? passed : passes.made + passed;
    return picked.length;
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
    const passes: Passes = { allowed: 0, made: 0 };
    let pauseMs = BUSY_POLL_MS;
    let hasNews = false;
    while (!closed) {
      // Listening starts before looking, so that what becomes ready in between is not missed.
      const news = nextReady(queue, IDLE_POLL_MS);
      cancels.add(news.cancel);
      let isDeaf = false;
      try {
        const count = (await isCrowded()) ? 0 : await dispatch(queue, passes);
        pauseMs = toPauseMs(pauseMs, count, window[queue]);
        isDeaf = hasNews && count === 0;
      } catch (error) {
        report(error);
        pauseMs = FAILED_POLL_MS;
      }
      const pause: Promise<boolean> = sleep(isDeaf ? DEAF_MS : pauseMs, stop.signal).then(
        () => false,
      );
      if (!closed) hasNews = await (isDeaf ? pause : Promise.race([news.promise, pause]));
      news.cancel();
      cancels.delete(news.cancel);
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
