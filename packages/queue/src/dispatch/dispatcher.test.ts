import type { Log, DispatchedJob, QueueName } from "@clipmill/domain";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDispatcher } from "./dispatcher.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const window = { io: 8, gpu: 8, cpu: 8, llm: 8 };
const job: DispatchedJob = {
  id: 1,
  epoch: 1,
  queue: "io",
  stage: "s",
  key: "k",
  lane: "standard",
  underShare: false,
  shareDue: false,
  overflow: false,
};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** What it asks Postgres for in a second. */
interface Looks {
  /** Transactions for one queue. */
  dispatches: number;
  /** Statements for all queues together. */
  dueChecks: number;
}

/** How many jobs each look into one queue finds, and in how many ms its first job is due: at once where it finds any. */
async function countLooks(options: {
  notified: boolean;
  found: number;
  dueInMs?: number | null;
  /** Whether a look tells of it before. Default true. */
  isForeseen?: boolean;
  waiting?: number;
  /** The second that is counted comes after so many ms. */
  afterMs?: number;
}): Promise<Looks> {
  const looks: Looks = { dispatches: 0, dueChecks: 0 };
  const { dueInMs = options.found > 0 ? 0 : null, afterMs = 0, isForeseen = true } = options;
  const startedAtMs = performance.now();
  const dispatcher = createDispatcher({
    work: {
      dispatch(queue: QueueName) {
        if (queue === "io") looks.dispatches++;
        return Promise.resolve(Array.from({ length: options.found }, () => job));
      },
      findDue() {
        looks.dueChecks++;
        if (dueInMs === null) return Promise.resolve(new Map());
        const leftMs = Math.max(0, dueInMs - (performance.now() - startedAtMs));
        if (leftMs > 0 && !isForeseen) return Promise.resolve(new Map());
        return Promise.resolve(new Map<QueueName, number>([["io", leftMs]]));
      },
      return: () => Promise.resolve(),
    },
    hints: {
      push: () => Promise.resolve(),
      countWaiting: () => Promise.resolve(options.waiting ?? 0),
    },
    nextReady(_queue, timeoutMs) {
      if (options.notified) return { promise: Promise.resolve(true), cancel() {} };
      const { promise, resolve } = Promise.withResolvers<boolean>();
      setTimeout(() => resolve(false), timeoutMs);
      return { promise, cancel: () => resolve(false) };
    },
    window,
    log,
  });
  await vi.advanceTimersByTimeAsync(afterMs);
  Object.assign(looks, { dispatches: 0, dueChecks: 0 });
  await vi.advanceTimersByTimeAsync(1_000);
  const counted = { ...looks };
  const closed = dispatcher.close();
  await vi.advanceTimersByTimeAsync(1_000);
  await closed;
  return counted;
}

test("where nothing happens, it asks a few times a second for all queues at once, and dispatches nothing", async () => {
  const { dispatches, dueChecks } = await countLooks({ notified: false, found: 0 });
  expect(dispatches).toBe(0);
  expect(dueChecks).toBeGreaterThan(3);
  expect(dueChecks).toBeLessThan(12);
});

test("where nothing happened for long, it asks once a second", async () => {
  const quiet = await countLooks({ notified: false, found: 0, afterMs: 12_000 });
  expect(quiet.dispatches).toBe(0);
  expect(quiet.dueChecks).toBeGreaterThan(0);
  expect(quiet.dueChecks).toBeLessThan(3);
});

test("a job that falls due is dispatched at its time, also where nothing happened for long", async () => {
  const early = await countLooks({ notified: false, found: 0, dueInMs: 15_700, afterMs: 14_650 });
  const onTime = await countLooks({ notified: false, found: 0, dueInMs: 15_700, afterMs: 14_750 });
  expect(early.dispatches).toBe(0);
  expect(onTime.dispatches).toBeGreaterThan(0);
});

test("a job that becomes ready while nothing happens is found within a second, though its notification is lost", async () => {
  const ready = { notified: false, found: 0, dueInMs: 15_100, isForeseen: false };
  const before = await countLooks({ ...ready, afterMs: 14_000 });
  const after = await countLooks({ ...ready, afterMs: 15_150 });
  expect(before.dispatches).toBe(0);
  expect(after.dispatches).toBeGreaterThan(0);
});

test("a job that nobody told of is found by the next look", async () => {
  const { dispatches } = await countLooks({ notified: false, found: 0, dueInMs: 0 });
  expect(dispatches).toBeGreaterThan(3);
  expect(dispatches).toBeLessThan(12);
});

test("notifications that lead to nothing do not keep it busy", async () => {
  const { dispatches } = await countLooks({ notified: true, found: 0 });
  expect(dispatches).toBeGreaterThan(10);
  expect(dispatches).toBeLessThan(110);
});

test("refills an empty window more often than one that stays nearly full", async () => {
  const often = await countLooks({ notified: false, found: 8 });
  const seldom = await countLooks({ notified: false, found: 1 });
  expect(often.dispatches).toBeGreaterThan(50);
  expect(seldom.dispatches).toBeGreaterThan(10);
  expect(seldom.dispatches).toBeLessThan(often.dispatches / 2);
});

test("does not ask whether there is work while each look finds much of it", async () => {
  const { dispatches, dueChecks } = await countLooks({ notified: false, found: 8 });
  expect(dueChecks).toBeLessThan(dispatches / 2);
});

test("sends nothing more to a queue that holds four windows already: nobody drains it", async () => {
  const four = await countLooks({ notified: false, found: 8, waiting: 32 });
  const more = await countLooks({ notified: false, found: 8, waiting: 33 });
  expect(four.dispatches).toBeGreaterThan(10);
  expect(more.dispatches).toBe(0);
});
