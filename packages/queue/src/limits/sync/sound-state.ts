import { NAMED_WAIT_MAX_MS, type UpstreamPause, type UpstreamState } from "@clipmill/domain";
import { PROBE_MS } from "./pause.ts";

/**
 * The stored state as it can be meant now. Its moments may lie far ahead: stored by a version that took any wait for
 * granted, or before the database's clock was set back. Taken at their word they would stop all calls for that long.
 */
export function toSoundState(state: UpstreamState, nowMs: number): UpstreamState {
  const { pace, paceAtMs, pause, tallies, holders } = state;
  return {
    ...state,
    pace: pace > 0 ? Math.min(1, pace) : 1,
    paceAtMs: toNotAfter(paceAtMs, nowMs),
    pause: pause === null ? null : toSoundPause(pause, nowMs),
    tallies: Array.isArray(tallies) ? tallies.filter(({ fromMs }) => fromMs <= nowMs) : [],
    holders: Object.fromEntries(
      Object.entries(holders ?? {}).map(([holder, seenAtMs]) => [
        holder,
        toNotAfter(seenAtMs, nowMs),
      ]),
    ),
  };
}

function toSoundPause(pause: UpstreamPause, nowMs: number): UpstreamPause {
  const { probeUntilMs } = pause;
  return {
    ...pause,
    untilMs: toNotAfter(pause.untilMs, nowMs + NAMED_WAIT_MAX_MS),
    probeUntilMs: probeUntilMs === null ? null : toNotAfter(probeUntilMs, nowMs + PROBE_MS),
  };
}

/** What is no number is as late as may be. */
function toNotAfter(atMs: number, latestMs: number): number {
  return atMs < latestMs ? atMs : latestMs;
}
