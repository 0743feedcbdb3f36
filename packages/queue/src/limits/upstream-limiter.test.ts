import {
  type Log,
  RetryableError,
  type UpstreamPolicy,
  type UpstreamState,
  type UpstreamStore,
} from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createUpstreamLimiter } from "./upstream-limiter.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const { signal } = new AbortController();

/** The shared state in memory; `down` makes it unreachable. */
function newStore(): UpstreamStore & {
  down: boolean;
  changes: number;
  state: UpstreamState | null;
} {
  const store: ReturnType<typeof newStore> = {
    down: false,
    changes: 0,
    state: null,
    async change(_id, next) {
      if (store.down) throw new Error("unreachable");
      store.changes++;
      const nowMs = Date.now();
      const { state, result } = next(store.state, nowMs);
      store.state = state;
      return { state, result, nowMs };
    },
  };
  return store;
}

function newLimiter(store: UpstreamStore, policy: Partial<UpstreamPolicy> = {}, holder = "a") {
  return createUpstreamLimiter({
    policy: { id: "api", rate: null, maxInFlight: 20, maxWaitMs: 2_000, ...policy },
    store,
    holder,
    log,
    random: () => 0,
  });
}

/** Starts many calls that last `ms`, and says how many run at once at most and how many ran in all. */
function startCalls(limiter: ReturnType<typeof newLimiter>, count: number, ms = 0) {
  const seen = { running: 0, most: 0, done: 0, codes: [] as string[] };
  const all = Array.from({ length: count }, () =>
    limiter
      .call(
        async () => {
          seen.most = Math.max(seen.most, ++seen.running);
          await new Promise((resolve) => setTimeout(resolve, ms));
          seen.running--;
          seen.done++;
        },
        { signal },
      )
      .catch((error: unknown) => void seen.codes.push((error as { code: string }).code)),
  );
  return { seen, all: Promise.all(all) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("without a known rate", () => {
  test("a thousand calls in a second cost three syncs with the store at most, not a round trip each", async () => {
    const store = newStore();
    const limiter = newLimiter(store, { maxInFlight: null });
    for (let i = 0; i < 1_000; i++) {
      await limiter.call(async () => {}, { signal });
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(store.changes).toBeLessThanOrEqual(3);
  });

  test("no more than 20 calls are under way", async () => {
    const { seen, all } = startCalls(newLimiter(newStore()), 50, 100);
    await vi.advanceTimersByTimeAsync(1_000);
    await all;
    expect(seen).toMatchObject({ most: 20, done: 50 });
  });

  test("four processes have five of these each", async () => {
    const store = newStore();
    for (const holder of ["b", "c", "d"])
      await newLimiter(store, {}, holder).call(async () => {}, { signal });
    const limiter = newLimiter(store);
    await limiter.call(async () => {}, { signal });
    const { seen, all } = startCalls(limiter, 20, 100);
    await vi.advanceTimersByTimeAsync(2_000);
    await all;
    expect(seen).toMatchObject({ most: 5, done: 20 });
  });
});

describe("while Postgres is away", () => {
  const rate = { calls: 64, windowMs: 60_000, burst: 3 };

  /** Calls of one minute by a process that knows of `others`, after the store went down. */
  async function callsInAMinute(others: string[]): Promise<number> {
    const store = newStore();
    const limiters = ["a", ...others].map((holder) => newLimiter(store, { rate }, holder));
    const [limiter] = limiters;
    if (limiter === undefined) throw new Error("there is no limiter");
    const warmUp = limiters.map((each) => startCalls(each, 1).all);
    await vi.advanceTimersByTimeAsync(5_000);
    await Promise.all(warmUp);
    store.down = true;
    const batches: ReturnType<typeof startCalls>[] = [];
    for (let ms = 0; ms < 60_000; ms += 2_500) {
      batches.push(startCalls(limiter, 20));
      await vi.advanceTimersByTimeAsync(2_500);
    }
    const count = batches.reduce((sum, { seen }) => sum + seen.done, 0);
    await vi.advanceTimersByTimeAsync(5_000);
    await Promise.all(batches.map(({ all }) => all));
    return count;
  }

  test("a process alone keeps to the whole rate", async () => {
    const count = await callsInAMinute([]);
    expect(count).toBeGreaterThan(50);
    expect(count).toBeLessThanOrEqual(64);
  });

  test("one of four keeps to a quarter", async () => {
    const count = await callsInAMinute(["b", "c", "d"]);
    expect(count).toBeGreaterThan(8);
    expect(count).toBeLessThanOrEqual(16 + 3);
  });

  test("a database that hangs does not hang the calls", async () => {
    const limiter = newLimiter({ change: () => new Promise<never>(() => {}) }, { rate });
    const { seen, all } = startCalls(limiter, 1);
    await vi.advanceTimersByTimeAsync(3_100);
    await all;
    expect(seen.done).toBe(1);
  });

  test("it does not stay away for good", async () => {
    const store = newStore();
    const limiter = newLimiter(store, { rate });
    store.down = true;
    await limiter.call(async () => {}, { signal });
    store.down = false;
    await vi.advanceTimersByTimeAsync(5_000);
    await limiter.call(async () => {}, { signal });
    expect(store.changes).toBeGreaterThan(0);
  });
});

test("what an upstream asked for while Postgres was away is shared when it is back", async () => {
  const store = newStore();
  const [a, b] = ["a", "b"].map((holder) => newLimiter(store, {}, holder));
  if (a === undefined || b === undefined) throw new Error("there is no limiter");
  await a.call(async () => {}, { signal });
  store.down = true;
  const throttled = new RetryableError("throttled", "slow down", { retryAfterMs: 60_000 });
  await a.call(() => Promise.reject(throttled), { signal }).catch(() => {});
  await vi.advanceTimersByTimeAsync(2_000);
  store.down = false;
  const { all } = startCalls(a, 1);
  await vi.advanceTimersByTimeAsync(2_500);
  await all;
  const { seen, all: others } = startCalls(b, 1);
  await vi.advanceTimersByTimeAsync(2_500);
  await others;
  expect(seen).toMatchObject({ done: 0, codes: ["throttled"] });
});

describe("a call that has no reservation", () => {
  test("is held half a second at least, so that a backlog does not run through the worker", async () => {
    const store = newStore();
    const limiter = newLimiter(store);
    await limiter.call(async () => {}, { signal });
    if (store.state !== null)
      store.state.pause = {
        code: "throttled",
        untilMs: Date.now() + 60_000,
        failedProbes: 0,
        probeUntilMs: null,
      };
    await vi.advanceTimersByTimeAsync(1_000);
    const { seen, all } = startCalls(limiter, 3);
    await vi.advanceTimersByTimeAsync(499);
    expect(seen.codes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await all;
    expect(seen).toMatchObject({ done: 0, codes: ["throttled", "throttled", "throttled"] });
  });

  test("ends at once when it is aborted, and leaves its place to the next", async () => {
    const limiter = newLimiter(newStore(), { maxInFlight: 1 });
    const first = startCalls(limiter, 1, 1_000);
    const abort = new AbortController();
    const second = limiter.call(async () => "ran", { signal: abort.signal });
    const third = startCalls(limiter, 1);
    abort.abort(new Error("stop"));
    await expect(second).rejects.toThrow("stop");
    await vi.advanceTimersByTimeAsync(1_500);
    await Promise.all([first.all, third.all]);
    expect(third.seen.done).toBe(1);
  });
});

describe("an answer that leaves no call", () => {
  const callTimes = (limiter: ReturnType<typeof newLimiter>, count: number) => {
    const atMs: number[] = [];
    const calls = Array.from({ length: count }, () =>
      limiter.call(async () => void atMs.push(Date.now()), { signal }),
    );
    return { atMs, all: Promise.all(calls) };
  };

  test.each([{ rate: null }, { rate: { calls: 600, windowMs: 60_000, burst: 3 } }])(
    "holds the next one back until the reset, from the moment of the answer on: $rate",
    async ({ rate }) => {
      const limiter = newLimiter(newStore(), { rate });
      const startedAtMs = Date.now();
      await limiter.call(async () => limiter.holdOff(1_500), { signal });
      const { atMs, all } = callTimes(limiter, 3);
      await vi.advanceTimersByTimeAsync(3_000);
      await all;
      expect(atMs).toHaveLength(3);
      expect(Math.min(...atMs)).toBeGreaterThanOrEqual(startedAtMs + 1_500);
    },
  );

  test("holds other processes back too, at an undiminished pace", async () => {
    const store = newStore();
    const [a, b] = [newLimiter(store), newLimiter(store, {}, "b")];
    await a.call(async () => a.holdOff(60_000), { signal });
    await vi.advanceTimersByTimeAsync(100);
    const { seen, all } = startCalls(b, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    await all;
    expect(seen).toMatchObject({ done: 0, codes: ["throttled"] });
    expect(store.state).toMatchObject({ pace: 1, pause: { code: "throttled" } });
  });

  test("outlasts the probe that it came with", async () => {
    const store = newStore();
    const limiter = newLimiter(store);
    const keyless = new RetryableError("provider_key", "no");
    await limiter.call(() => Promise.reject(keyless), { signal }).catch(() => {});
    await vi.advanceTimersByTimeAsync(61_000);
    await limiter.call(async () => limiter.holdOff(60_000), { signal });
    await vi.advanceTimersByTimeAsync(100);
    expect(store.state?.pause).toMatchObject({ code: "throttled" });
  });
});

test("closing reports what is not reported yet", async () => {
  const store = newStore();
  const limiter = newLimiter(store);
  await limiter.call(async () => {}, { signal });
  await limiter.close();
  expect(store.state?.tallies).toEqual([expect.objectContaining({ calls: 1, failures: 0 })]);
});
