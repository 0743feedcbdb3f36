import type { Log } from "@clipmill/domain";

const LOGGED_EVERY_MS = 10_000;

/** Logs one error in ten seconds and counts the others: while Redis was down, one worker had 12,000 errors a second. */
export function createErrorLog(
  log: Log,
  message: string,
  now: () => number = () => performance.now(),
): (error: unknown) => void {
  let nextAt = Number.NEGATIVE_INFINITY;
  let suppressedCount = 0;
  return (error) => {
    if (now() < nextAt) {
      suppressedCount++;
      return;
    }
    log.error({ err: error, suppressedCount }, message);
    nextAt = now() + LOGGED_EVERY_MS;
    suppressedCount = 0;
  };
}
