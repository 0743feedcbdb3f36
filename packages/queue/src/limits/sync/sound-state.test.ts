import type { UpstreamRate, UpstreamState } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { toPace } from "./pace.ts";
import { EMPTY_REPORT } from "./upstream-report.ts";
import { sync } from "./upstream-sync.ts";

const RATE: UpstreamRate = { calls: 200, windowMs: 60_000, burst: 3 };
const START = 1_000_000;

describe("moments far ahead, stored before a clock was set back or by a version without a cap", () => {
  const FAR_MS = START + 115 * 86_400_000;
  const stored = (changes: Partial<UpstreamState>): UpstreamState => ({
    nextReservationAtMs: START,
    pace: 1,
    paceAtMs: START,
    pause: null,
    tallies: [],
    holders: {},
    ...changes,
  });
  const ask = (state: UpstreamState, nowMs: number, rate: UpstreamRate | null = null) =>
    sync(state, { holder: "a", want: 3, horizonMs: 1_000, report: EMPTY_REPORT }, { rate }, nowMs);

  test("a pause ends within an hour", () => {
    const pause = { code: "paused" as const, untilMs: FAR_MS, failedProbes: 0, probeUntilMs: null };
    const first = ask(stored({ pause }), START);
    expect(first.result.pause?.untilMs).toBe(START + 3_600_000);
    expect(ask(first.state, START + 3_600_000).result).toMatchObject({ count: 1, isProbe: true });
  });

  test("a probe that nobody will end gives way within a minute", () => {
    const pause = {
      code: "paused" as const,
      untilMs: START,
      failedProbes: 0,
      probeUntilMs: FAR_MS,
    };
    const { state } = ask(stored({ pause }), START);
    expect(ask(state, START + 60_000).result).toMatchObject({ count: 1, isProbe: true });
  });

  test("reservations, pace, tallies and holders count from now", () => {
    const changes = {
      nextReservationAtMs: FAR_MS,
      pace: 0.5,
      paceAtMs: FAR_MS,
      tallies: [{ fromMs: FAR_MS, calls: 50, failures: 50 }],
      holders: { gone: FAR_MS },
    };
    const first = ask(stored(changes), START, RATE);
    expect(first.result).toMatchObject({ pause: null, holderCount: 2 });
    const later = ask(first.state, START + 120_000, RATE);
    expect(later.result).toMatchObject({ count: 3, holderCount: 1 });
    expect(toPace(later.state, RATE.windowMs, START + 120_000)).toBe(1);
  });
});
