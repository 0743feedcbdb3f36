import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createCallTurns, NoTurnError } from "./call-turns.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const NEVER = new AbortController().signal;

/** A machine with room for one call, and calls that take as long as the test says. */
function createMachine() {
  const turns = createCallTurns(1, () => Date.now());
  const started: string[] = [];
  const take = (name: string, ms: number, signal = NEVER) =>
    turns.take(async () => {
      started.push(name);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return name;
    }, signal);
  return { turns, started, take };
}

test("calls go one at a time, in the order in which they came", async () => {
  const { started, take } = createMachine();
  const all = Promise.all([take("a", 100), take("b", 100), take("c", 100)]);
  await vi.advanceTimersByTimeAsync(99);
  expect(started).toEqual(["a"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(started).toEqual(["a", "b"]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await all).toEqual(["a", "b", "c"]);
});

test("whoever waits for two seconds behind a long call gives up, and the call goes on", async () => {
  const { started, take } = createMachine();
  const long = take("long", 60_000);
  const refused = expect(take("short", 10)).rejects.toBeInstanceOf(NoTurnError);
  await vi.advanceTimersByTimeAsync(2_000);
  await refused;
  await vi.advanceTimersByTimeAsync(58_000);
  expect(await long).toBe("long");
  expect(started).toEqual(["long"]);
});

test("an abort ends the wait with its reason", async () => {
  const { started, take } = createMachine();
  const abort = new AbortController();
  const first = take("first", 100);
  const refused = expect(take("second", 10, abort.signal)).rejects.toThrow("the lease was lost");
  abort.abort(new Error("the lease was lost"));
  await refused;
  await vi.advanceTimersByTimeAsync(100);
  await first;
  expect(started).toEqual(["first"]);
});

test("a machine counts as quick once a call has ended soon, and not while one takes long", async () => {
  const { turns, take } = createMachine();
  expect(turns.isQuick()).toBe(false);
  const first = take("first", 150);
  await vi.advanceTimersByTimeAsync(100);
  expect(turns.isQuick()).toBe(false);
  await vi.advanceTimersByTimeAsync(50);
  await first;
  expect(turns.isQuick()).toBe(true);
  const long = take("long", 30_000);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(turns.isQuick()).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(turns.isQuick()).toBe(false);
  await vi.advanceTimersByTimeAsync(30_000);
  await long;
  // The mean of the two is over two seconds, until quick ones have come again.
  expect(turns.isQuick()).toBe(false);
});

test("a call that fails says nothing of how long calls take, and makes room for the next", async () => {
  const { turns, take } = createMachine();
  const failed = expect(turns.take(() => Promise.reject(new Error("busy")), NEVER)).rejects.toThrow(
    "busy",
  );
  await failed;
  expect(turns.isQuick()).toBe(false);
  const next = take("next", 10);
  await vi.advanceTimersByTimeAsync(10);
  expect(await next).toBe("next");
});
