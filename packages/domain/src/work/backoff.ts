/** The first retry comes within this, the n-th within 2^n times it. */
const BACKOFF_BASE_MS = 2_000;
const BACKOFF_MAX_MS = 5 * 60_000;

/**
 * How long to wait before another try. The upstream's own wait goes first, with up to a tenth more, so that all who
 * were told the same do not come back at once; else full jitter, which spreads a burst best.
 */
export function toRetryDelayMs(options: {
  /** Attempts used before the one that just failed. */
  attempts: number;
  retryAfterMs: number | undefined;
  /** 0 ≤ x < 1. */
  random(): number;
}): number {
  const { attempts, retryAfterMs, random } = options;
  if (retryAfterMs !== undefined) return Math.round(retryAfterMs * (1 + random() / 10));
  return Math.round(random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** attempts));
}
