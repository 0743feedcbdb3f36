import type {
  PauseCode,
  UpstreamPause,
  UpstreamPolicy,
  UpstreamRate,
  UpstreamState,
} from "@clipmill/domain";
import { addTally, breakIfFailing } from "./breaker.ts";
import { slowDown, toPace, toSpacing } from "./pace.ts";
import {
  endThrottling,
  isProbeDue,
  pauseAfter,
  settleProbe,
  startProbe,
  toRetryAtMs,
} from "./pause.ts";
import { toSoundState } from "./sound-state.ts";
import type { Report } from "./upstream-report.ts";

/** What a process brings to a sync. */
export interface SyncRequest {
  /** Names the process. */
  holder: string;
  /** How many reservations it wants. */
  want: number;
  /** How far ahead reservations are granted: a process that dies loses no more than these. */
  horizonMs: number;
  report: Report;
}

/** What a process takes from a sync. */
export interface Grant {
  /** Reservations granted, `intervalMs` apart from `firstAtMs` on (database clock). If fewer than wanted: ask again later. */
  count: number;
  firstAtMs: number;
  intervalMs: number;
  /** Set only where the upstream is paused and `count` is 0. */
  pause: { code: PauseCode; untilMs: number } | null;
  /** The one reservation granted is for the probe that decides whether the pause ends. */
  isProbe: boolean;
  /** Processes that use this upstream now: each has an equal share of it. */
  holderCount: number;
  /** The pause that began or ended for everybody with this sync; null: none did. */
  change: PauseCode | "resumed" | null;
}

/** A process that has not synced for so long no longer counts as one of those that share the upstream. */
const HOLDER_GONE_MS = 15_000;
const DEFAULT_WINDOW_MS = 60_000;

/**
 * Applies a process's report to the shared state, and grants it reservations. Pure, because it runs inside a compare and
 * swap, and on a local copy of the state while Postgres is away.
 */
export function sync(
  before: UpstreamState | null,
  request: SyncRequest,
  policy: Pick<UpstreamPolicy, "rate">,
  nowMs: number,
): { state: UpstreamState; result: Grant } {
  const state = before === null ? newState(nowMs) : toSoundState(structuredClone(before), nowMs);
  const { report } = request;
  const codeBefore = state.pause?.code;
  state.holders = toLive({ ...state.holders, [request.holder]: nowMs }, nowMs);
  addTally(state, report, nowMs);
  if (report.strained) slowDown(state, policy.rate?.windowMs ?? DEFAULT_WINDOW_MS, nowMs);
  settleProbe(state, report.probe, nowMs);
  if (report.pushback !== null) pauseAfter(state, report.pushback, nowMs);
  breakIfFailing(state, nowMs);
  endThrottling(state, nowMs);
  const change = state.pause?.code === codeBefore ? null : (state.pause?.code ?? "resumed");
  const holderCount = Object.keys(state.holders).length;
  return { state, result: { ...grant(state, request, policy, nowMs), holderCount, change } };
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

type Granted = Omit<Grant, "holderCount" | "change">;

function grant(
  state: UpstreamState,
  request: SyncRequest,
  { rate }: Pick<UpstreamPolicy, "rate">,
  nowMs: number,
): Granted {
  const none = { count: 0, firstAtMs: nowMs, intervalMs: 0, pause: null, isProbe: false };
  if (state.pause !== null) return { ...none, ...grantProbe(state.pause, request, nowMs) };
  if (rate === null) return { ...none, count: request.want };
  return { ...none, ...reserve(state, request, rate, nowMs) };
}

/** While the upstream is paused nobody calls; once the pause's time is over, one process probes. */
function grantProbe(pause: UpstreamPause, { want }: SyncRequest, nowMs: number): Partial<Granted> {
  if (want === 0 || !isProbeDue(pause, nowMs))
    return { pause: { code: pause.code, untilMs: toRetryAtMs(pause, nowMs) } };
  startProbe(pause, nowMs);
  return { count: 1, isProbe: true };
}

function reserve(
  state: UpstreamState,
  { want, horizonMs }: SyncRequest,
  rate: UpstreamRate,
  nowMs: number,
): Partial<Granted> {
  const { intervalMs, toleranceMs } = toSpacing(rate, toPace(state, rate.windowMs, nowMs));
  // After an idle time, reservations that are older than the tolerance are lost to everybody: to use them would be a burst.
  // And none lies further ahead than what was ever granted, unless the clock was set back.
  const nextAtMs = Math.min(state.nextReservationAtMs, nowMs + horizonMs + intervalMs);
  const firstAtMs = Math.max(nextAtMs, nowMs - toleranceMs);
  const room = Math.floor((nowMs + horizonMs - firstAtMs) / intervalMs) + 1;
  const count = Math.max(0, Math.min(want, room));
  state.nextReservationAtMs = firstAtMs + count * intervalMs;
  return { count, firstAtMs, intervalMs };
}
