import type { PauseCode, UpstreamPause, UpstreamPolicy, UpstreamState } from "@clipmill/domain";

/** What a process reports about its calls since the last sync, and how many reservations it wants. */
export interface Report {
  calls: number;
  /** Calls that the upstream left unanswered or broke. */
  failures: number;
  /** The upstream was too slow for a call, or asked to slow down. */
  strained: boolean;
  /** The worst that the upstream said of us; null: nothing. */
  pushback: { code: Exclude<PauseCode, "paused">; retryAfterMs: number | undefined } | null;
  /** How the probe ended, where this process had it. */
  probe: "passed" | "failed" | "void" | null;
}

export interface Grant {
  /** Reservations from `firstAtMs` on (database clock), `intervalMs` apart. Fewer than wanted: the rest is for later. */
  count: number;
  firstAtMs: number;
  intervalMs: number;
  /** Only where the upstream is paused and `count` is 0. */
  pause: { code: PauseCode; untilMs: number } | null;
  /** The one reservation of `count` is the probe that decides whether the pause ends. */
  isProbe: boolean;
  /** Processes that use this upstream now; a share is one part of that many. */
  holderCount: number;
  /** What this sync changed for everybody. */
  change: PauseCode | "resumed" | null;
}

const HOLDER_GONE_MS = 15_000;

const TALLY_MS = 10_000;
const BREAKER_WINDOW_MS = 30_000;
const BREAKER_MIN_CALLS = 20;
const BREAKER_FAILED_SHARE = 0.5;

/** First pauses; each failed probe doubles the next. A key or a balance is mended by people, so those ask less often. */
const BREAKER_PAUSE_MS = { first: 30_000, max: 5 * 60_000 };
const PROVIDER_PAUSE_MS = { first: 60_000, max: 15 * 60_000 };
/** For a 429 that names no wait; the lower pace does the rest. */
const THROTTLED_PAUSE_MS = 1_000;
/** A longer wait than this is a bug of theirs or an attack. */
const THROTTLED_PAUSE_MAX_MS = 60 * 60_000;
/** A probe whose process died is given up after this. */
const PROBE_MS = 60_000;
/** While a probe is out the others ask again after this. */
const PROBE_POLL_MS = 1_000;

/**
 * After a pushback the pace falls to four fifths, at most once in a quarter of a window; it comes back by a quarter of
 * the full rate a window. One stray 429 costs 8 % of one window's calls; one that lasts brings the pace below a third.
 */
const PACE_DECREASE = 0.8;
const PACE_DECREASES_PER_WINDOW = 4;
const PACE_MIN = 0.05;
const PACE_GAIN_PER_WINDOW = 0.25;
const DEFAULT_WINDOW_MS = 60_000;

/**
 * All arithmetic of rate, pause and breaker: pure, so that it runs inside a compare and swap, and on a local copy of
 * the state while Postgres is away.
 */
export function sync(
  before: UpstreamState | null,
  ask: { holder: string; want: number; report: Report; horizonMs: number },
  policy: Pick<UpstreamPolicy, "rate">,
  nowMs: number,
): { state: UpstreamState; result: Grant } {
  const state = before === null ? newState(nowMs) : structuredClone(before);
  const { report } = ask;
  const windowMs = policy.rate?.windowMs ?? DEFAULT_WINDOW_MS;

  state.holders = toLive({ ...state.holders, [ask.holder]: nowMs }, nowMs);
  addTally(state, report, nowMs);
  if (report.strained) slowDown(state, windowMs, nowMs);
  const codeBefore = state.pause?.code;
  settleProbe(state, report, nowMs);
  if (report.pushback !== null) pushBack(state, report.pushback, nowMs);
  breakIfFailing(state, nowMs);
  if (state.pause?.code === "throttled" && state.pause.untilMs <= nowMs) state.pause = null;
  const change = state.pause?.code === codeBefore ? null : (state.pause?.code ?? "resumed");
  const holderCount = Object.keys(state.holders).length;
  const reservations = reserve(state, ask, policy, nowMs);
  return { state, result: { ...reservations, holderCount, change } };
}

function newState(nowMs: number): UpstreamState {
  return {
    nextReservationAtMs: nowMs,
    pace: 1,
    paceAtMs: nowMs,
    pause: null,
    tallies: [],
    holders: {},
  };
}

function toLive(holders: Record<string, number>, nowMs: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(holders).filter(([, seenAtMs]) => seenAtMs > nowMs - HOLDER_GONE_MS),
  );
}

function addTally(state: UpstreamState, { calls, failures }: Report, nowMs: number): void {
  const fromMs = Math.floor(nowMs / TALLY_MS) * TALLY_MS;
  const kept = state.tallies.filter((tally) => tally.fromMs > nowMs - BREAKER_WINDOW_MS);
  const last = kept.at(-1);
  if (calls === 0) state.tallies = kept;
  else if (last?.fromMs !== fromMs) state.tallies = [...kept, { fromMs, calls, failures }];
  else {
    last.calls += calls;
    last.failures += failures;
    state.tallies = kept;
  }
}

/** The pace now: additive increase since it was last set. */
export function toPace(state: UpstreamState, windowMs: number, nowMs: number): number {
  const gained = (Math.max(0, nowMs - state.paceAtMs) / windowMs) * PACE_GAIN_PER_WINDOW;
  return Math.min(1, state.pace + gained);
}

/** Multiplicative decrease: a burst of pushbacks is one message. */
function slowDown(state: UpstreamState, windowMs: number, nowMs: number): void {
  const isRecent = nowMs - state.paceAtMs < windowMs / PACE_DECREASES_PER_WINDOW;
  if (state.pace < 1 && isRecent) return;
  state.pace = Math.max(PACE_MIN, toPace(state, windowMs, nowMs) * PACE_DECREASE);
  state.paceAtMs = nowMs;
}

/** One call that works ends the pause for all; the breaker starts to count anew. */
function settleProbe(state: UpstreamState, { probe }: Report, nowMs: number): void {
  const { pause } = state;
  if (probe === null || pause === null) return;
  pause.probeUntilMs = null;
  if (probe === "passed") {
    state.pause = null;
    state.tallies = [];
  } else if (probe === "failed") {
    pause.failedProbes++;
    pause.untilMs = nowMs + toPauseMs(pause);
  }
}

function toPauseMs({ code, failedProbes }: Pick<UpstreamPause, "code" | "failedProbes">): number {
  const { first, max } = code === "paused" ? BREAKER_PAUSE_MS : PROVIDER_PAUSE_MS;
  return Math.min(max, first * 2 ** failedProbes);
}

/** A pause only ever gets longer, and one that needs a probe is not replaced by one that ends by itself. */
function pushBack(
  state: UpstreamState,
  { code, retryAfterMs }: NonNullable<Report["pushback"]>,
  nowMs: number,
): void {
  const { pause } = state;
  const forMs =
    code === "throttled"
      ? Math.min(retryAfterMs ?? THROTTLED_PAUSE_MS, THROTTLED_PAUSE_MAX_MS)
      : Math.max(retryAfterMs ?? 0, toPauseMs({ code, failedProbes: pause?.failedProbes ?? 0 }));
  const untilMs = Math.max(pause?.untilMs ?? 0, nowMs + forMs);
  state.pause =
    pause === null
      ? { code, untilMs, failedProbes: 0, probeUntilMs: null }
      : { ...pause, untilMs, code: code === "throttled" ? pause.code : code };
}

function breakIfFailing(state: UpstreamState, nowMs: number): void {
  if (state.pause !== null && state.pause.code !== "throttled") return;
  let calls = 0;
  let failures = 0;
  for (const tally of state.tallies) {
    calls += tally.calls;
    failures += tally.failures;
  }
  if (calls < BREAKER_MIN_CALLS || failures < calls * BREAKER_FAILED_SHARE) return;
  const pause = { code: "paused" as const, failedProbes: 0, probeUntilMs: null };
  const untilMs = Math.max(state.pause?.untilMs ?? 0, nowMs + toPauseMs(pause));
  state.pause = { ...pause, untilMs };
  state.tallies = [];
}

function reserve(
  state: UpstreamState,
  { want, horizonMs }: { want: number; horizonMs: number },
  { rate }: Pick<UpstreamPolicy, "rate">,
  nowMs: number,
): Omit<Grant, "holderCount" | "change"> {
  const none = { count: 0, firstAtMs: nowMs, intervalMs: 0, pause: null, isProbe: false };
  const { pause } = state;
  if (pause !== null) {
    const untilMs = Math.max(
      pause.untilMs,
      pause.probeUntilMs === null ? 0 : nowMs + PROBE_POLL_MS,
    );
    const isProbing = pause.probeUntilMs !== null && pause.probeUntilMs > nowMs;
    if (pause.untilMs > nowMs || isProbing || want === 0)
      return { ...none, pause: { code: pause.code, untilMs } };
    pause.probeUntilMs = nowMs + PROBE_MS;
    return { ...none, count: 1, isProbe: true };
  }
  if (rate === null) return { ...none, count: want };
  const { intervalMs, toleranceMs } = toSpacing(rate, toPace(state, rate.windowMs, nowMs));
  // An upstream that rested owes at most the tolerance: reservations older than that are lost for everybody.
  const firstAtMs = Math.max(state.nextReservationAtMs, nowMs - toleranceMs);
  const room = Math.floor((nowMs + horizonMs - firstAtMs) / intervalMs) + 1;
  const count = Math.max(0, Math.min(want, room));
  state.nextReservationAtMs = firstAtMs + count * intervalMs;
  return { ...none, count, firstAtMs, intervalMs };
}

/**
 * Reservations are `intervalMs` apart, and one may be used up to `toleranceMs` late. All calls of any window then hold reservations of
 * that window and the tolerance before it: at most `calls`.
 */
export function toSpacing(
  { calls, windowMs, burst }: NonNullable<UpstreamPolicy["rate"]>,
  pace = 1,
): { intervalMs: number; toleranceMs: number } {
  const full = windowMs / Math.max(1, calls - burst - 1);
  return { intervalMs: full / pace, toleranceMs: burst * full };
}
