import { expect, test, vi } from "vitest";
import { createGroupCommit } from "./group-commit.ts";
import { createWaitingLine } from "./waiting-line.ts";

const ONE_EACH = () => 1;

test("whoever gives up leaves the line, from its middle too, and is never taken", async () => {
  const line = createWaitingLine<string, string>();
  const caller = new AbortController();
  const kept = [line.join("a", undefined), line.join("c", undefined)];
  const gone = line.join("b", caller.signal);
  caller.abort(new Error("hung up"));
  await expect(gone).rejects.toThrow("hung up");
  await expect(line.join("late", caller.signal)).rejects.toThrow("hung up");
  const taken = line.take(10, ONE_EACH);
  expect(taken.map(({ item }) => item)).toEqual(["a", "c"]);
  for (const { item, resolve } of taken) resolve(item);
  expect(await Promise.all(kept)).toEqual(["a", "c"]);
  expect(line.length).toBe(0);
});

test("what has been taken stays taken: neither its caller nor its time ends it", async () => {
  vi.useFakeTimers();
  try {
    const line = createWaitingLine<string, string>({ maxItems: 1, maxMs: 1_000 });
    const caller = new AbortController();
    const answer = line.join("a", caller.signal);
    const [taken] = line.take(10, ONE_EACH);
    caller.abort(new Error("hung up"));
    vi.advanceTimersByTime(5_000);
    taken?.resolve("stored");
    expect(await answer).toBe("stored");
  } finally {
    vi.useRealTimers();
  }
});

test("a full line refuses at once, and one that does not move refuses after its time, each with a time to come again", async () => {
  vi.useFakeTimers();
  try {
    const line = createWaitingLine<string, string>({ maxItems: 2, maxMs: 1_000 });
    const waiting = Promise.allSettled([line.join("a", undefined), line.join("b", undefined)]);
    const refusal = { code: "unavailable", retryAfterMs: expect.any(Number) };
    await expect(line.join("c", undefined)).rejects.toMatchObject(refusal);
    vi.advanceTimersByTime(999);
    expect(line.length).toBe(2);
    vi.advanceTimersByTime(1);
    expect(await waiting).toMatchObject([{ reason: refusal }, { reason: refusal }]);
    // There is room again.
    void line.join("d", undefined);
    expect(line.take(10, ONE_EACH).map(({ item }) => item)).toEqual(["d"]);
  } finally {
    vi.useRealTimers();
  }
});

test("a thousand callers of a flush that hangs: a bounded part waits, those that hang up are not flushed, and the rest is", async () => {
  const flushed: number[][] = [];
  const first = Promise.withResolvers<void>();
  const commit = createGroupCommit<number, number>({
    maxItems: 100,
    limits: { maxItems: 50, maxMs: 60_000 },
    async flush(items) {
      flushed.push(items);
      if (flushed.length === 1) await first.promise;
      return items;
    },
  });
  const hangUp = new AbortController();
  const stuck = commit.add(-1);
  await new Promise((resolve) => setImmediate(resolve));
  const ends = Promise.allSettled(
    Array.from({ length: 1_000 }, (_, i) => commit.add(i, i % 2 === 0 ? hangUp.signal : undefined)),
  );
  hangUp.abort();
  first.resolve();
  const done = (await ends).flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  expect(await stuck).toBe(-1);
  expect(done).toEqual(Array.from({ length: 25 }, (_, i) => 2 * i + 1));
  expect(flushed).toEqual([[-1], done]);
});
