import type { UpstreamRate, UpstreamState } from "@clipmill/domain";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toPace, toSpacing } from "./pace.ts";
import { EMPTY_REPORT, type Report } from "./upstream-report.ts";
import { type Grant, sync } from "./upstream-sync.ts";

const RATE: UpstreamRate = { calls: 200, windowMs: 60_000, burst: 3 };
const START = 1_000_000;

/** One upstream with a clock that only the test moves. */
function newUpstream(rate: UpstreamRate | null = null) {
  let state: UpstreamState | null = null;
  let nowMs = START;
  return {
    wait: (ms: number) => void (nowMs += ms),
    now: () => nowMs,
    state: () => state as UpstreamState,
    ask(
      want: number,
      report: Partial<Report> = {},
      { holder = "a", horizonMs = 1_000 }: { holder?: string; horizonMs?: number } = {},
    ): Grant {
      const request = { holder, want, horizonMs, report: { ...EMPTY_REPORT, ...report } };
      const done = sync(state, request, { rate }, nowMs);
      state = done.state;
      return done.result;
    },
  };
}

const toReservations = ({ count, firstAtMs, intervalMs }: Grant) =>
  Array.from({ length: count }, (_, i) => firstAtMs + i * intervalMs);

describe("rate", () => {
  test("in no window are there more calls than the upstream allows, however calls and processes come", () => {
    fc.assert(
      fc.property(
        fc.record({
          calls: fc.integer({ min: 6, max: 60 }),
          windowMs: fc.integer({ min: 500, max: 5_000 }),
          burst: fc.integer({ min: 1, max: 3 }),
        }),
        fc.array(
          fc.record({
            want: fc.integer({ min: 0, max: 30 }),
            waitMs: fc.integer({ min: 0, max: 2_000 }),
            late: fc.double({ min: 0, max: 1, noNaN: true }),
            strained: fc.boolean(),
          }),
          { maxLength: 60 },
        ),
        (rate, steps) => {
          const upstream = newUpstream(rate);
          const { toleranceMs } = toSpacing(rate);
          const calledAt: number[] = [];
          for (const { want, waitMs, late, strained } of steps) {
            for (const reservedAtMs of toReservations(upstream.ask(want, { strained })))
              // As late as the tolerance allows, and never before it was granted.
              calledAt.push(Math.max(upstream.now(), reservedAtMs + late * toleranceMs));
            upstream.wait(waitMs);
          }
          calledAt.sort((a, b) => a - b);
          for (const [i, first] of calledAt.entries()) {
            const last = calledAt[i + rate.calls];
            if (last !== undefined) expect(last - first).toBeGreaterThanOrEqual(rate.windowMs);
          }
        },
      ),
    );
  });

  test("two processes that always want more get 98 % of 200 a minute between them", () => {
    const upstream = newUpstream(RATE);
    let count = 0;
    for (; upstream.now() < START + 600_000; upstream.wait(250)) {
      count += upstream.ask(20, {}, { holder: "a" }).count;
      count += upstream.ask(20, {}, { holder: "b" }).count;
    }
    expect(count).toBeGreaterThanOrEqual(1_950);
    expect(count).toBeLessThanOrEqual(2_000);
  });

  test("reservations are granted for the near future only, so that a process that dies takes few with it", () => {
    expect(newUpstream(RATE).ask(100, {}, { horizonMs: 1_000 }).count).toBeLessThanOrEqual(8);
  });

  test("an upstream without a rate grants what is wanted", () => {
    expect(newUpstream().ask(50)).toMatchObject({ count: 50, pause: null });
  });
});

describe("pace", () => {
  test("falls by a fifth at a pushback, four times a window, and comes back by a quarter a window", () => {
    const upstream = newUpstream(RATE);
    const pace = () => toPace(upstream.state(), RATE.windowMs, upstream.now());
    upstream.ask(0, { strained: true });
    upstream.ask(0, { strained: true });
    expect(pace()).toBeCloseTo(0.8);
    upstream.wait(RATE.windowMs / 4);
    upstream.ask(0, { strained: true });
    expect(pace()).toBeCloseTo((0.8 + 0.25 / 4) * 0.8);
    upstream.wait(RATE.windowMs);
    expect(pace()).toBeCloseTo((0.8 + 0.25 / 4) * 0.8 + 0.25);
    upstream.wait(RATE.windowMs);
    expect(pace()).toBe(1);
  });

  test("spaces reservations accordingly", () => {
    const calm = newUpstream(RATE).ask(1).intervalMs;
    expect(newUpstream(RATE).ask(1, { strained: true }).intervalMs).toBeCloseTo(calm / 0.8);
  });

  test("never falls to nothing", () => {
    const upstream = newUpstream(RATE);
    for (let i = 0; i < 100; i++) {
      upstream.ask(0, { strained: true });
      upstream.wait(RATE.windowMs / 4);
    }
    const pace = toPace(upstream.state(), RATE.windowMs, upstream.now());
    expect(pace).toBeLessThan(1 / 3);
    expect(pace).toBeGreaterThan(0.05);
  });
});

describe("pauses", () => {
  test("a Retry-After holds everybody back until it is over, and a shorter one does not shorten it", () => {
    const upstream = newUpstream(RATE);
    upstream.ask(0, { pushback: { code: "throttled", retryAfterMs: 30_000 } });
    upstream.ask(0, { pushback: { code: "throttled", retryAfterMs: 1_000 } }, { holder: "b" });
    upstream.wait(29_999);
    expect(upstream.ask(1, {}, { holder: "b" })).toMatchObject({
      count: 0,
      pause: { code: "throttled", untilMs: START + 30_000 },
    });
    upstream.wait(1);
    expect(upstream.ask(1)).toMatchObject({ count: 1, isProbe: false, change: "resumed" });
  });

  test("a Retry-After of a year is an hour", () => {
    const upstream = newUpstream();
    upstream.ask(0, { pushback: { code: "throttled", retryAfterMs: 31_536_000_000 } });
    upstream.wait(60 * 60_000);
    expect(upstream.ask(1).count).toBe(1);
  });

  test("after the hour of a longer Retry-After one call asks first, and the rest follow when it may", () => {
    const upstream = newUpstream();
    const pushback = { code: "throttled" as const, retryAfterMs: Number.POSITIVE_INFINITY };
    upstream.ask(0, { pushback });
    upstream.wait(60 * 60_000);
    expect(upstream.ask(20)).toMatchObject({ count: 1, isProbe: true });
    expect(upstream.ask(20, {}, { holder: "b" }).count).toBe(0);
    expect(upstream.ask(0, { pushback, probe: "passed" }).change).toBeNull();
    upstream.wait(60 * 60_000 - 1);
    expect(upstream.ask(20).count).toBe(0);
    upstream.wait(1);
    expect(upstream.ask(20)).toMatchObject({ count: 1, isProbe: true });
    expect(upstream.ask(20, { calls: 1, probe: "passed" })).toMatchObject({ count: 20 });
  });

  test.each(["provider_key", "provider_balance"] as const)(
    "%s with a Retry-After of 115 days is probed within a quarter of an hour",
    (code) => {
      const upstream = newUpstream();
      upstream.ask(0, { pushback: { code, retryAfterMs: 9_999_999_000 } });
      upstream.wait(15 * 60_000 - 1);
      expect(upstream.ask(5).count).toBe(0);
      upstream.wait(1);
      expect(upstream.ask(5)).toMatchObject({ count: 1, isProbe: true });
    },
  );

  test("an empty balance pauses once, lets one probe through after a minute, and doubles when that fails", () => {
    const upstream = newUpstream(RATE);
    const pushback = { code: "provider_balance" as const, retryAfterMs: undefined };
    expect(upstream.ask(0, { pushback }).change).toBe("provider_balance");
    expect(upstream.ask(0, { pushback }).change).toBeNull();
    upstream.wait(60_000);
    expect(upstream.ask(5)).toMatchObject({ count: 1, isProbe: true });
    expect(upstream.ask(5, {}, { holder: "b" })).toMatchObject({ count: 0 });
    expect(upstream.ask(0, { pushback, probe: "failed" }).change).toBeNull();
    upstream.wait(119_999);
    expect(upstream.ask(5).count).toBe(0);
    upstream.wait(1);
    expect(upstream.ask(5)).toMatchObject({ count: 1, isProbe: true });
    expect(upstream.ask(5, { calls: 1, probe: "passed" })).toMatchObject({
      count: 5,
      change: "resumed",
    });
  });

  test("a probe whose process died is given to another after a minute", () => {
    const upstream = newUpstream();
    upstream.ask(0, { pushback: { code: "provider_key", retryAfterMs: undefined } });
    upstream.wait(60_000);
    expect(upstream.ask(1, {}, { holder: "dies" }).isProbe).toBe(true);
    upstream.wait(59_999);
    expect(upstream.ask(1).count).toBe(0);
    upstream.wait(1);
    expect(upstream.ask(1).isProbe).toBe(true);
  });

  test("being throttled does not lift a pause that waits for a person", () => {
    const upstream = newUpstream();
    upstream.ask(0, { pushback: { code: "provider_key", retryAfterMs: undefined } });
    upstream.ask(0, { pushback: { code: "throttled", retryAfterMs: 1 } });
    upstream.wait(60_000);
    expect(upstream.ask(9)).toMatchObject({ count: 1, isProbe: true });
  });
});

describe("breaker", () => {
  test("opens when half of 20 calls in 30 s fail, over all processes", () => {
    const upstream = newUpstream();
    upstream.ask(0, { calls: 10, failures: 5 }, { holder: "a" });
    expect(upstream.ask(0, { calls: 9, failures: 5 }, { holder: "b" }).change).toBeNull();
    expect(upstream.ask(1, { calls: 1 }, { holder: "a" })).toMatchObject({
      change: "paused",
      count: 0,
      pause: { code: "paused", untilMs: START + 30_000 },
    });
  });

  test.each([
    ["fewer than 20 calls", 19, 19],
    ["fewer failures than half", 100, 49],
  ])("stays closed with %s", (_what, calls, failures) => {
    expect(newUpstream().ask(1, { calls, failures })).toMatchObject({ count: 1, change: null });
  });

  test("forgets what is older than 30 s", () => {
    const upstream = newUpstream();
    upstream.ask(0, { calls: 15, failures: 15 });
    upstream.wait(30_000);
    expect(upstream.ask(1, { calls: 15, failures: 15 }).count).toBe(1);
  });

  test("closes with the first probe that passes, and counts anew", () => {
    const upstream = newUpstream();
    upstream.ask(0, { calls: 20, failures: 20 });
    upstream.wait(30_000);
    expect(upstream.ask(3)).toMatchObject({ count: 1, isProbe: true });
    expect(upstream.ask(3, { calls: 1, probe: "passed" })).toMatchObject({
      count: 3,
      change: "resumed",
    });
    expect(upstream.ask(3, { calls: 10, failures: 10 }).count).toBe(3);
  });
});

test("processes that are silent for 15 s no longer count as sharing the upstream", () => {
  const upstream = newUpstream(RATE);
  upstream.ask(1, {}, { holder: "a" });
  expect(upstream.ask(1, {}, { holder: "b" }).holderCount).toBe(2);
  upstream.wait(15_000);
  expect(upstream.ask(1, {}, { holder: "b" }).holderCount).toBe(1);
});
