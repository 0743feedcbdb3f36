import type { UpstreamState } from "@clipmill/domain";
import { toPauseMs } from "./pause.ts";
import type { Report } from "./upstream-report.ts";

const TALLY_MS = 10_000;
const WINDOW_MS = 30_000;
/** Fewer calls than this in the window say too little. */
const MIN_CALLS = 20;
const FAILED_SHARE = 0.5;

/** Adds calls and failures to the tally of the present 10 s, and drops tallies that left the window. */
export function addTally(
  state: UpstreamState,
  { calls, failures }: Pick<Report, "calls" | "failures">,
  nowMs: number,
): void {
  const fromMs = Math.floor(nowMs / TALLY_MS) * TALLY_MS;
  state.tallies = state.tallies.filter((tally) => tally.fromMs > nowMs - WINDOW_MS);
  if (calls === 0) return;
  const last = state.tallies.at(-1);
  if (last?.fromMs !== fromMs) {
    state.tallies.push({ fromMs, calls, failures });
    return;
  }
  last.calls += calls;
  last.failures += failures;
}

/** Pauses the upstream when half of at least 20 calls in 30 s failed, unless it is paused for longer already. */
export function breakIfFailing(state: UpstreamState, nowMs: number): void {
  if (state.pause !== null && state.pause.code !== "throttled") return;
  let calls = 0;
  let failures = 0;
  for (const tally of state.tallies) {
    calls += tally.calls;
    failures += tally.failures;
  }
  if (calls < MIN_CALLS || failures < calls * FAILED_SHARE) return;
  const pause = { code: "paused" as const, failedProbes: 0, probeUntilMs: null };
  const untilMs = Math.max(state.pause?.untilMs ?? 0, nowMs + toPauseMs(pause));
  state.pause = { ...pause, untilMs };
  state.tallies = [];
}
