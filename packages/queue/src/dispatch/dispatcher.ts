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
/** Work of which nobody is told, or whose notification was lost, is found this often. */
const IDLE_POLL_MS = 250;
/** And this often where nothing was found for ten seconds: it is most of what an idle system costs. */
const QUIET_POLL_MS = 1_000;
const QUIET_AFTER_MS = 10_000;
const FAILED_POLL_MS = 1_000;
/**
 * After a notification that found nothing to dispatch, ignore further ones for 20 ms: another dispatcher was faster, or
 * the window is full.
 */
const NOTIFY_COOLDOWN_MS = 20;

interface Dispatcher extends DispatcherDeps {
  readonly stop: AbortController;
  readonly dueInMs: DueCheck;
  /** Pauses by their ms. Queues where nothing happens share them, so that one statement looks after all of these. */
  readonly shared: ReadonlyMap<number, SharedPause>;
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
  /** When it last dispatched something, by `performance.now()`. */
  busyAtMs: number;
  /** When the next job is due that is not yet, as far as the last look tells. */
  dueAtMs: number;
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
    dueInMs: createDueCheck(deps.work),
    shared: new Map([IDLE_POLL_MS, QUIET_POLL_MS].map((ms) => [ms, createSharedPause(ms)])),
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
    busyAtMs: performance.now(),
    dueAtMs: Number.POSITIVE_INFINITY,
    isNotified: false,
    hasBacklog: false,
  };
}

async function run(dispatcher: Dispatcher, feed: Feed): Promise<void> {
  const { nextReady, cancels, stop } = dispatcher;
  while (!stop.signal.aborted) {
    // Listening starts before looking, so that work which becomes ready in between is not missed.
    const notification = nextReady(feed.queue, QUIET_POLL_MS);
    cancels.add(notification.cancel);
    const isCoolingDown = await look(dispatcher, feed);
    const pauseMs = isCoolingDown ? NOTIFY_COOLDOWN_MS : feed.pauseMs;
    const pause = rest(dispatcher, feed, pauseMs).then(() => false);
    const next = isCoolingDown ? pause : Promise.race([notification.promise, pause]);
    if (!stop.signal.aborted) feed.isNotified = await next;
    notification.cancel();
    cancels.delete(notification.cancel);
  }
}

/** Ends sooner where a job falls due. */
async function rest({ shared, stop }: Dispatcher, feed: Feed, pauseMs: number): Promise<void> {
  const dueInMs = feed.dueAtMs - performance.now();
  const pause = shared.get(pauseMs);
  if (pause !== undefined && dueInMs > pauseMs) return await pause(stop.signal);
  await sleep(Math.max(BUSY_POLL_MS, Math.min(pauseMs, dueInMs)), stop.signal);
}

/** Refills the window once. True: a notification had no effect, so the next ones are ignored for a moment. */
async function look(dispatcher: Dispatcher, feed: Feed): Promise<boolean> {
  try {
    const count = (await mayDispatch(dispatcher, feed)) ? await refill(dispatcher, feed) : 0;
    const window = dispatcher.window[feed.queue];
    feed.hasBacklog = count > 0 && count >= window * REFILLED_LITTLE;
    if (count > 0) feed.busyAtMs = performance.now();
    feed.pauseMs = toPauseMs(feed, count, window);
    return feed.isNotified && count === 0;
  } catch (error) {
    dispatcher.report(error);
    feed.pauseMs = jitter(FAILED_POLL_MS);
    return false;
  }
}

/** Whether it is worth to dispatch: that is a transaction, and it counts what is in flight. */
async function mayDispatch({ dueInMs }: Dispatcher, feed: Feed): Promise<boolean> {
  feed.dueAtMs = Number.POSITIVE_INFINITY;
  if (await feed.isCrowded()) return false;
  if (feed.isNotified || feed.hasBacklog) return true;
  const waitMs = await dueInMs(feed.queue);
  if (waitMs > 0) feed.dueAtMs = performance.now() + waitMs;
  return waitMs === 0;
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

function toPauseMs({ pauseMs: lastMs, busyAtMs }: Feed, count: number, window: number): number {
  const isQuiet = performance.now() - busyAtMs > QUIET_AFTER_MS;
  if (count === 0) return isQuiet ? QUIET_POLL_MS : Math.min(IDLE_POLL_MS, lastMs * 2);
  if (count >= window * REFILLED_LITTLE) return BUSY_POLL_MS;
  return Math.min(FULL_POLL_MS, Math.max(BUSY_POLL_MS, lastMs * 2));
}
