import {
  type DispatchedJob,
  type Log,
  type Overflow,
  QUEUE_NAMES,
  type QueueName,
  type WorkStore,
} from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import { jitter, sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";
import { createCrowdCheck } from "./crowd-check.ts";
import { createDueCheck, type DueCheck } from "./due-check.ts";
import type { RunAhead } from "./run-ahead.ts";
import { createSharedPause, type SharedPause } from "./shared-pause.ts";

export interface DispatcherDeps {
  work: Pick<WorkStore, "dispatch" | "findDue" | "return">;
  hints: Pick<Hints, "push" | "countWaiting">;
  /** Resolves true at a notification of ready work, false after the time; `cancel` ends the wait. */
  nextReady(queue: QueueName, timeoutMs: number): { promise: Promise<boolean>; cancel(): void };
  /** Hints that may wait in a queue, read at each look: workers come and go. Too few starve workers; too many make urgent work and shares wait. */
  window: Readonly<Record<QueueName, number>>;
  /** Which lanes are held. Default: none. */
  runAhead?: RunAhead;
  log: Log;
}

export interface Loop {
  close(): Promise<void>;
}

/** While there is work the window is refilled this often: no notification says that a claim made room in it. */
const BUSY_POLL_MS = 15;
/** Where the window stays nearly full it is refilled less often: a few hints at a time cost as much as many. */
const FULL_POLL_MS = 60;
/** A window is nearly full when less than this part of it was refilled. */
const REFILLED_LITTLE = 1 / 4;
/** Retries that fall due, and work whose notification was lost, are found this often. */
const IDLE_POLL_MS = 250;
const FAILED_POLL_MS = 1_000;
/**
 * After a notification that found nothing to dispatch, ignore further ones for 20 ms: another dispatcher was faster, or
 * the window is full.
 */
const NOTIFY_COOLDOWN_MS = 20;

interface Dispatcher extends DispatcherDeps {
  readonly stop: AbortController;
  readonly isDue: DueCheck;
  /** The longest pause. Queues where nothing happens share it, so that one statement looks after all of them. */
  readonly idle: SharedPause;
  /** Ends each queue's wait for a notification. */
  readonly cancels: Set<() => void>;
  report(error: unknown): void;
}

/** One queue, and what its next look depends on. */
interface Feed {
  readonly queue: QueueName;
  readonly isCrowded: () => Promise<boolean>;
  readonly overflow: Overflow;
  pauseMs: number;
  /** A notification ended the pause before this look. */
  isNotified: boolean;
  /** The last look took much, so there is probably more. */
  hasBacklog: boolean;
}

/** Feeds each queue a small window of hints from Postgres. Any number of dispatchers may run. */
export function createDispatcher(deps: DispatcherDeps): Loop {
  const dispatcher: Dispatcher = {
    ...deps,
    stop: new AbortController(),
    isDue: createDueCheck(deps.work),
    idle: createSharedPause(IDLE_POLL_MS),
    cancels: new Set(),
    report: createErrorLog(deps.log, "dispatch failed"),
  };
  const loops = Promise.all(QUEUE_NAMES.map((queue) => run(dispatcher, createFeed(deps, queue))));
  return {
    async close() {
      dispatcher.stop.abort();
      for (const cancel of dispatcher.cancels) cancel();
      await loops;
    },
  };
}

function createFeed({ hints, window }: DispatcherDeps, queue: QueueName): Feed {
  return {
    queue,
    isCrowded: createCrowdCheck(hints, queue, window),
    overflow: { allowed: 0, made: 0 },
    pauseMs: BUSY_POLL_MS,
    isNotified: false,
    hasBacklog: false,
  };
}

async function run(dispatcher: Dispatcher, feed: Feed): Promise<void> {
  const { nextReady, cancels, stop, idle } = dispatcher;
  while (!stop.signal.aborted) {
    // Listening starts before looking, so that work which becomes ready in between is not missed.
    const notification = nextReady(feed.queue, IDLE_POLL_MS);
    cancels.add(notification.cancel);
    const isCoolingDown = await look(dispatcher, feed);
    const pauseMs = isCoolingDown ? NOTIFY_COOLDOWN_MS : feed.pauseMs;
    const isIdle = pauseMs === IDLE_POLL_MS;
    const pause = (isIdle ? idle(stop.signal) : sleep(pauseMs, stop.signal)).then(() => false);
    const next = isCoolingDown ? pause : Promise.race([notification.promise, pause]);
    if (!stop.signal.aborted) feed.isNotified = await next;
    notification.cancel();
    cancels.delete(notification.cancel);
  }
}

/** Refills the window once. True: a notification had no effect, so the next ones are ignored for a moment. */
async function look(dispatcher: Dispatcher, feed: Feed): Promise<boolean> {
  try {
    const count = (await mayDispatch(dispatcher, feed)) ? await refill(dispatcher, feed) : 0;
    const window = dispatcher.window[feed.queue];
    feed.hasBacklog = count > 0 && count >= window * REFILLED_LITTLE;
    feed.pauseMs = toPauseMs(feed.pauseMs, count, window);
    return feed.isNotified && count === 0;
  } catch (error) {
    dispatcher.report(error);
    feed.pauseMs = jitter(FAILED_POLL_MS);
    return false;
  }
}

/** Whether it is worth to dispatch: that is a transaction, and it counts what is in flight. */
async function mayDispatch({ isDue }: Dispatcher, feed: Feed): Promise<boolean> {
  if (await feed.isCrowded()) return false;
  return feed.isNotified || feed.hasBacklog || (await isDue(feed.queue));
}

async function refill({ work, hints, window, runAhead }: Dispatcher, feed: Feed): Promise<number> {
  const { queue, overflow } = feed;
  const lowest = await runAhead?.findLowest(queue);
  const options = { overflow: { ...overflow }, ...(lowest === undefined ? {} : { lowest }) };
  const dispatched = await work.dispatch(queue, window[queue], options);
  if (dispatched.length === 0) return 0;
  try {
    await hints.push(queue, dispatched);
  } catch (error) {
    await work.return(dispatched);
    throw error;
  }
  countOverflow(feed, dispatched, window[queue]);
  return dispatched.length;
}

/** Each job dispatched in its turn allows one overflow later, so at most half of what is dispatched overflows. */
function countOverflow(
  { overflow }: Feed,
  dispatched: readonly DispatchedJob[],
  window: number,
): void {
  const overflowed = dispatched.filter((job) => job.overflow).length;
  const inTurn = dispatched.length - overflowed;
  overflow.allowed = Math.min(window, overflow.allowed + inTurn) - overflowed;
  overflow.made = inTurn > 0 ? overflowed : overflow.made + overflowed;
}

function toPauseMs(lastMs: number, count: number, window: number): number {
  if (count === 0) return Math.min(IDLE_POLL_MS, lastMs * 2);
  if (count >= window * REFILLED_LITTLE) return BUSY_POLL_MS;
  return Math.min(FULL_POLL_MS, Math.max(BUSY_POLL_MS, lastMs * 2));
}
