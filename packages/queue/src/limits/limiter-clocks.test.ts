import {
  type Log,
  type UpstreamPolicy,
  type UpstreamState,
  type UpstreamStore,
} from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createUpstreamLimiter } from "./upstream-limiter.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const { signal } = new AbortController();

/** The shared state in memory; `down` makes it unreachable. */
function newStore() {
  let state: UpstreamState | null = null;
  const store = {
    down: false,
    changes: 0,
    change: async <T>(
      _id: string,
      next: (state: UpstreamState | null, nowMs: number) => { state: UpstreamState; result: T },
    ) => {
      if (store.down) throw new Error("unreachable");
      store.changes++;
      const nowMs = Date.now();
      const changed = next(state, nowMs);
      state = changed.state;
      return { ...changed, nowMs };
    },
  };
  return store;
}

function newLimiter(store: UpstreamStore, rate: UpstreamPolicy["rate"] = null) {
  const policy = { id: "api", rate, maxInFlight: 20, maxWaitMs: 2_000 };
  return createUpstreamLimiter({ policy, store, holder: "a", log, random: () => 0 });
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("clocks that are set", () => {
  /** Of one call, after the longest that a call may wait. */
  async function countDone(limiter: ReturnType<typeof newLimiter>): Promise<number> {
    let count = 0;
    const call = limiter.call(async () => void count++, { signal });
    call.catch(() => {});
    await vi.advanceTimersByTimeAsync(3_000);
    return count;
  }

  test("this machine's, back by a day: calls go on, and Postgres is asked again", async () => {
    const store = newStore();
    const limiter = newLimiter(store);
    await limiter.call(async () => {}, { signal });
    store.down = true;
    await vi.advanceTimersByTimeAsync(2_000);
    await limiter.call(async () => {}, { signal });
    store.down = false;
    vi.setSystemTime(Date.now() - 86_400_000);
    await vi.advanceTimersByTimeAsync(2_000);
    const before = store.changes;
    await limiter.call(async () => {}, { signal });
    expect(store.changes).toBeGreaterThan(before);
  });

  test("the database's, by a day to either side: a limited upstream is called again within seconds", async () => {
    const store = newStore();
    const rate = { calls: 60, windowMs: 60_000, burst: 3 };
    const limiter = newLimiter(store, rate);
    expect(await countDone(limiter)).toBe(1);
    for (const stepMs of [86_400_000, -86_400_000]) {
      vi.setSystemTime(Date.now() + stepMs);
      // The first may go back for an unknown time.
      const first = await countDone(limiter);
      expect(first + (await countDone(limiter))).toBeGreaterThanOrEqual(1);
    }
  });

  test("a hold-off of 115 days lasts an hour", async () => {
    const limiter = newLimiter(newStore());
    await limiter.call(async () => limiter.holdOff(115 * 86_400_000), { signal });
    await vi.advanceTimersByTimeAsync(3_500_000);
    expect(await countDone(limiter)).toBe(0);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(await countDone(limiter)).toBe(1);
  });
});
