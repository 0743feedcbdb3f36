import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createWatchdog } from "./watchdog.ts";

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const CHECK_MS = 10_000;
const HOUR_MS = 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A queue of which the test says what is seen at each check. */
function watch() {
  const seen = { waiting: 0, takenAt: 0, full: false, unreachable: false, heldBack: false };
  let nowMs = HOUR_MS;
  const leave = vi.fn();
  const dog = createWatchdog({
    queues: [{ queue: "gpu", lastTakenAt: () => seen.takenAt, isFull: () => seen.full }],
    hints: {
      countWaiting: () =>
        seen.unreachable ? Promise.reject(new Error("down")) : Promise.resolve(seen.waiting),
      isHeldBack: () => Promise.resolve(seen.heldBack),
    },
    log,
    leave,
    now: () => nowMs,
  });
  return {
    seen,
    leave,
    /** So many checks in their time, `each` before each. */
    async pass(checks: number, each: (at: number) => void = () => {}) {
      for (let at = 0; at < checks; at++) {
        each(at);
        nowMs += CHECK_MS;
        await vi.advanceTimersByTimeAsync(CHECK_MS);
      }
    },
    /** The clock goes on without a check, as while the process is stopped. */
    pause(ms: number) {
      nowMs += ms;
    },
    close: () => dog.close(),
  };
}

describe("createWatchdog", () => {
  let dog: ReturnType<typeof watch>;
  beforeEach(() => {
    dog = watch();
  });
  afterEach(() => dog.close());

  test("leaves when work waits, a slot is free and nothing was taken for a minute", async () => {
    dog.seen.waiting = 5;
    // Seen first at the first of them.
    await dog.pass(6);
    expect(dog.leave).not.toHaveBeenCalled();
    await dog.pass(1);
    expect(dog.leave).toHaveBeenCalledOnce();
  });

  test("counts from when work began to wait, however long the queue was idle before", async () => {
    await dog.pass(360);
    dog.seen.waiting = 1;
    await dog.pass(6);
    expect(dog.leave).not.toHaveBeenCalled();
    dog.seen.waiting = 0;
    await dog.pass(1);
    dog.seen.waiting = 1;
    await dog.pass(6);
    expect(dog.leave).not.toHaveBeenCalled();
  });

  test.each<[string, (seen: (typeof dog)["seen"], at: number) => void]>([
    ["something is taken now and then", (seen, at) => (seen.takenAt = Math.floor(at / 5))],
    ["all slots are busy now and then", (seen, at) => (seen.full = at % 6 === 5)],
    ["nothing waits now and then", (seen, at) => (seen.waiting = at % 6 === 5 ? 0 : 3)],
    ["the queue is paused", (seen) => (seen.heldBack = true)],
    ["the queue is paused now and then", (seen, at) => (seen.heldBack = at % 6 === 5)],
    ["the queue cannot be asked", (seen) => (seen.unreachable = true)],
  ])("stays when %s", async (_title, change) => {
    dog.seen.waiting = 3;
    await dog.pass(60, (at) => change(dog.seen, at));
    expect(dog.leave).not.toHaveBeenCalled();
  });

  test("leaves when a queue that was paused is taken up by nobody for a minute", async () => {
    [dog.seen.waiting, dog.seen.heldBack] = [5, true];
    await dog.pass(60);
    dog.seen.heldBack = false;
    await dog.pass(6);
    expect(dog.leave).not.toHaveBeenCalled();
    await dog.pass(1);
    expect(dog.leave).toHaveBeenCalledOnce();
  });

  test("counts anew after the process was stopped for a while", async () => {
    dog.seen.waiting = 5;
    await dog.pass(4);
    dog.pause(HOUR_MS);
    await dog.pass(6);
    expect(dog.leave).not.toHaveBeenCalled();
    await dog.pass(1);
    expect(dog.leave).toHaveBeenCalledOnce();
  });
});
