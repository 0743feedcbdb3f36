import { FRESH_FOR_MS, type LimiterState } from "./limiter-state.ts";
import { STORE_RETRY_MS, syncLimiter } from "./limiter-sync.ts";
import { addReports, EMPTY_REPORT, type Report } from "./sync/upstream-report.ts";

/** Adds a call's report to the next sync. What other processes must know is reported now, the rest within a second. */
export function addReport(limiter: LimiterState, report: Report): void {
  const sum = addReports(limiter.unreported, report);
  limiter.unreported = sum;
  if (sum.pushback !== null || sum.probe !== null || sum.strained) reportNow(limiter);
  else limiter.reportTimer ??= setTimeout(() => reportNow(limiter), FRESH_FOR_MS).unref();
}

/** Resolves when all is reported that waits for it or is under way. */
export async function reportAll(limiter: LimiterState): Promise<void> {
  if (limiter.reportTimer !== null) reportNow(limiter);
  await Promise.all(limiter.reporting);
}

function reportNow(limiter: LimiterState): void {
  if (limiter.reportTimer !== null) clearTimeout(limiter.reportTimer);
  limiter.reportTimer = null;
  const reported = syncLimiter(limiter, 0).finally(() => {
    limiter.reporting.delete(reported);
    // While an upstream is left alone no call would bring the next report.
    if (limiter.unshared !== EMPTY_REPORT && !limiter.closing.signal.aborted)
      limiter.reportTimer ??= setTimeout(() => reportNow(limiter), STORE_RETRY_MS).unref();
  });
  limiter.reporting.add(reported);
}
