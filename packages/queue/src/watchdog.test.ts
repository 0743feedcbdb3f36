import { describe, expect, test, vi } from "vitest";
import { createWatchdog, type WatchedQueue } from "./watchdog.ts";

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

function watch(queue: Partial<WatchedQueue>, countWaiting: () => Promise<number> = async () => 5) {
  const leave = vi.fn();
  const dog = createWatchdog({
    queues: [{ queue: "gpu", lastTakenAt: () => 0, isFull: () => false, ...queue }],
    hints: { countWaiting },
    log,
    leave,
    now: () => 61_000,
  });
  dog.close();
  return { dog, leave };
}

describe("createWatchdog", () => {
  test("leaves when work waits, a slot is free and nothing was taken for a minute", async () => {
    const { dog, leave } = watch({});
    await dog.check();
    expect(leave).toHaveBeenCalledOnce();
  });

  test.each([
    ["something was taken lately", { lastTakenAt: () => 30_000 }],
    ["all slots are busy", { isFull: () => true }],
    ["nothing waits", {}, async () => 0],
    ["the queue cannot be asked", {}, () => Promise.reject(new Error("down"))],
  ])("stays when %s", async (_title, queue, countWaiting?: () => Promise<number>) => {
    const { dog, leave } = watch(queue, countWaiting);
    await dog.check();
    expect(leave).not.toHaveBeenCalled();
  });
});
