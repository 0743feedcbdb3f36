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

/** How often it looks into one queue in a second, when each look finds so many jobs. */
async function countLooks(options: {
  notified: boolean;
  found: number;
  waiting?: number;
}): Promise<number> {
  let looks = 0;
  const dispatcher = createDispatcher({
    work: {
      dispatch(queue: QueueName) {
        if (queue === "io") looks++;
        return Promise.resolve(Array.from({ length: options.found }, () => job));
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
  const counted = looks;
  const closed = dispatcher.close();
  await vi.advanceTimersByTimeAsync(1_000);
  await closed;
  return counted;
}

test("looks a few times a second where nothing happens", async () => {
  const looks = await countLooks({ notified: false, found: 0 });
  expect(looks).toBeGreaterThan(3);
  expect(looks).toBeLessThan(12);
});

test("notifications that lead to nothing do not keep it busy", async () => {
  expect(await countLooks({ notified: true, found: 0 })).toBeLessThan(110);
});

test("refills an empty window more often than one that stays nearly full", async () => {
  const often = await countLooks({ notified: false, found: 8 });
  const seldom = await countLooks({ notified: false, found: 1 });
  expect(often).toBeGreaterThan(50);
  expect(seldom).toBeGreaterThan(10);
  expect(seldom).toBeLessThan(often / 2);
});

test("sends nothing more to a queue that holds four windows already: nobody drains it", async () => {
  expect(await countLooks({ notified: false, found: 8, waiting: 32 })).toBeGreaterThan(10);
  expect(await countLooks({ notified: false, found: 8, waiting: 33 })).toBe(0);
});
