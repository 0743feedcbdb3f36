import type { UpstreamRate, UpstreamState } from "@clipmill/domain";

/**
 * After pushback the pace falls to four fifths, at most once in a quarter of a window, and comes back by a quarter of
 * the full rate a window. So one stray 429 costs 8 % of one window's calls, and a 429 that goes on brings the pace below
 * a third.
 */
const DECREASE = 0.8;
const DECREASES_PER_WINDOW = 4;
const GAIN_PER_WINDOW = 0.25;
const PACE_MIN = 0.05;

/** The share of the permitted rate to use now: it has grown steadily since it was last set. */
export function toPace(state: UpstreamState, windowMs: number, nowMs: number): number {
  const gained = (Math.max(0, nowMs - state.paceAtMs) / windowMs) * GAIN_PER_WINDOW;
  return Math.min(1, state.pace + gained);
}

/** Lowers the pace once for a whole burst of pushback: its calls were under way before any of them knew. */
export function slowDown(state: UpstreamState, windowMs: number, nowMs: number): void {
  const isRecent = nowMs - state.paceAtMs < windowMs / DECREASES_PER_WINDOW;
  if (state.pace < 1 && isRecent) return;
  state.pace = Math.max(PACE_MIN, toPace(state, windowMs, nowMs) * DECREASE);
  state.paceAtMs = nowMs;
}

/**
 * Reservations are `intervalMs` apart, and each may be used up to `toleranceMs` late. So the calls of any window have
 * reservations of that window or of the tolerance before it, and those are `calls` at most.
 */
export function toSpacing(
  { calls, windowMs, burst }: UpstreamRate,
  pace = 1,
): { intervalMs: number; toleranceMs: number } {
  const full = windowMs / Math.max(1, calls - burst - 1);
  return { intervalMs: full / pace, toleranceMs: burst * full };
}
