import type { Log } from "@clipmill/domain";

const LOGGED_EVERY_MS = 10_000;

/** With a dead Redis one worker was measured to emit 12,000 errors a second; a log takes one in ten seconds. */
export function createErrorLog(
  log: Log,
  message: string,
  now: () => number = Date.now,
): (error: unknown) => void {
  let nextAt = 0;
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
