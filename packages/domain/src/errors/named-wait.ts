/**
 * The longest wait that somebody else's machine can ask of us, in ms: one hour. What names a longer one (a `Retry-After`
 * of 115 days, a date of the year 9999) has a fault or means harm, so it is asked again after this.
 */
export const NAMED_WAIT_MAX_MS = 60 * 60_000;

/** A wait in ms that came from outside, brought to 0 … one hour. What is no number names no wait: undefined. */
export function toNamedWaitMs(ms: number | undefined): number | undefined {
  if (ms === undefined || Number.isNaN(ms)) return undefined;
  return Math.min(NAMED_WAIT_MAX_MS, Math.max(0, ms));
}
