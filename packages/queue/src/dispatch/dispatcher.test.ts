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

/** `found`: how many jobs each look into one queue finds; `due`: of how many there are, default all. */
async function countLooks(options: {
  notified: boolean;
  found: number;
  due?: boolean;
  waiting?: number;
}): Promise<Looks> {
  const looks: Looks = { dispatches: 0, dueChecks: 0 };
  const { due = options.found > 0 } = options;
  const dispatcher = createDispatcher({
    work: {
      dispatch(queue: QueueName) {
        if (queue === "io") looks.dispatches++;
        return Promise.resolve(Array.from({ length: options.found }, () => job));
      },
      findDue() {
        looks.dueChecks++;
        return Promise.resolve(new Set<QueueName>(due ? ["io"] : []));
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

test("a job that nobody told of is found by the next look", async () => {
  const { dispatches } = await countLooks({ notified: false, found: 0, due: true });
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
