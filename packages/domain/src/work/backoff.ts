import { toNamedWaitMs } from "../errors/named-wait.ts";

/** The n-th retry comes within 2^(n−1) times this. */
const BACKOFF_BASE_MS = 2_000;
const BACKOFF_MAX_MS = 5 * 60_000;

/**
 * How long to wait before another try. If the upstream named a wait, that wait (an hour at most) and up to a tenth more,
 * so that jobs that got the same answer do not come back at the same moment. Otherwise full jitter, which spreads a burst
 * best.
 */
export function toRetryDelayMs(options: {
  /** Attempts used before the one that just failed. */
  attempts: number;
  retryAfterMs: number | undefined;
  /** 0 ≤ x < 1. */
  random(): number;
}): number {
  const { attempts, random } = options;
  const namedMs = toNamedWaitMs(options.retryAfterMs);
  if (namedMs !== undefined) return Math.round(namedMs * (1 + random() / 10));
  return Math.round(random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** attempts));
}
