import { NAMED_WAIT_MAX_MS, type UpstreamPause, type UpstreamState } from "@clipmill/domain";
import type { Pushback, Report } from "./upstream-report.ts";

/** The first pause; each failed probe doubles the next. Keys and balances are fixed by people, so those are probed less often. */
const BREAKER_PAUSE_MS = { first: 30_000, max: 5 * 60_000 };
const PROVIDER_PAUSE_MS = { first: 60_000, max: 15 * 60_000 };
/** For a 429 that names no wait: short, because the pace falls too. */
const THROTTLED_PAUSE_MS = 1_000;
/** If the process with the probe says nothing for this long, it died, and another may probe. */
export const PROBE_MS = 60_000;
/** While one process probes, the others ask again after this. */
const PROBE_POLL_MS = 1_000;

export function toPauseMs({
  code,
  failedProbes,
}: Pick<UpstreamPause, "code" | "failedProbes">): number {
  const { first, max } = code === "paused" ? BREAKER_PAUSE_MS : PROVIDER_PAUSE_MS;
  return Math.min(max, first * 2 ** failedProbes);
}

/** A probe that succeeds ends the pause for everybody, and the breaker counts from zero; one that fails doubles it. */
export function settleProbe(state: UpstreamState, probe: Report["probe"], nowMs: number): void {
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

/**
 * A pause only ever gets longer, and one that needs a probe is not replaced by one that ends by itself. Keys and balances
 * may be put right at any moment, so whatever wait is named, those are probed at the latest after their longest pause.
 */
export function pauseAfter(
  state: UpstreamState,
  { code, retryAfterMs }: Pushback,
  nowMs: number,
): void {
  const { pause } = state;
  const failedProbes = pause?.failedProbes ?? 0;
  const forMs =
    code === "throttled"
      ? Math.min(retryAfterMs ?? THROTTLED_PAUSE_MS, NAMED_WAIT_MAX_MS)
      : Math.max(
          Math.min(retryAfterMs ?? 0, PROVIDER_PAUSE_MS.max),
          toPauseMs({ code, failedProbes }),
        );
  // The upstream meant to be left alone for longer than we do: one call asks first.
  const isCut = code === "throttled" && forMs === NAMED_WAIT_MAX_MS;
  state.pause = {
    code: code === "throttled" ? (pause?.code ?? code) : code,
    untilMs: Math.max(pause?.untilMs ?? 0, nowMs + forMs),
    failedProbes: isCut ? Math.max(1, failedProbes) : failedProbes,
    probeUntilMs: pause?.probeUntilMs ?? null,
  };
}

/** A pause for throttling ends with its time, unless a longer one was asked for; every other one needs a probe. */
export function endThrottling(state: UpstreamState, nowMs: number): void {
  const { pause } = state;
  if (pause?.code === "throttled" && pause.failedProbes === 0 && pause.untilMs <= nowMs)
    state.pause = null;
}

/** The pause's time is over and nobody probes, so the next caller may. */
export function isProbeDue({ untilMs, probeUntilMs }: UpstreamPause, nowMs: number): boolean {
  return untilMs <= nowMs && (probeUntilMs === null || probeUntilMs <= nowMs);
}

/** When to ask again: at the end of the pause, and while another process probes, soon. */
export function toRetryAtMs({ untilMs, probeUntilMs }: UpstreamPause, nowMs: number): number {
  return Math.max(untilMs, probeUntilMs === null ? 0 : nowMs + PROBE_POLL_MS);
}

export function startProbe(pause: UpstreamPause, nowMs: number): void {
  pause.probeUntilMs = nowMs + PROBE_MS;
}
