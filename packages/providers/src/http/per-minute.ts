import type { UpstreamRate } from "@clipmill/domain";

const DEFAULT_BURST = 3;

/** A limit of so many calls a minute; null where none is known. */
export function perMinute(calls: number | undefined, burst = DEFAULT_BURST): UpstreamRate | null {
  return calls === undefined ? null : { calls, windowMs: 60_000, burst };
}
