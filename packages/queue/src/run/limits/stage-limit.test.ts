import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createStageLimit } from "./stage-limit.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a stage that works is ended at its limit", () => {
  const onOver = vi.fn();
  createStageLimit(1_000, onOver);
  vi.advanceTimersByTime(999);
  expect(onOver).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(onOver).toHaveBeenCalledOnce();
});

test("the time in which it waits does not count, however often it waits and for how much at once", () => {
  const onOver = vi.fn();
  const limit = createStageLimit(1_000, onOver);
  vi.advanceTimersByTime(400);
  const [first, second] = [limit.pause(), limit.pause()];
  vi.advanceTimersByTime(60_000);
  first();
  // A wait ends once, however often that is said.
  first();
  vi.advanceTimersByTime(60_000);
  second();
  vi.advanceTimersByTime(300);
  const third = limit.pause();
  vi.advanceTimersByTime(60_000);
  third();
  vi.advanceTimersByTime(299);
  expect(onOver).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(onOver).toHaveBeenCalledOnce();
});

test("a stage that has ended has no limit any more, also where its wait ends later", () => {
  const onOver = vi.fn();
  const limit = createStageLimit(1_000, onOver);
  const end = limit.pause();
  limit.clear();
  end();
  vi.advanceTimersByTime(60_000);
  expect(onOver).not.toHaveBeenCalled();
});
