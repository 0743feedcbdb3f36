import { ClipmillError } from "@clipmill/domain";
import type { Report } from "./upstream-sync.ts";

export const EMPTY_REPORT: Report = {
  calls: 0,
  failures: 0,
  strained: false,
  pushback: null,
  probe: null,
};

/** What a finished call says about its upstream; `undefined` is a success. */
export function toReport(error: unknown, signal: AbortSignal): Report {
  const answered: Report = { ...EMPTY_REPORT, calls: 1, probe: "passed" };
  const failed: Report = { ...answered, failures: 1, probe: "failed" };
  if (error === undefined) return answered;
  if (signal.aborted) {
    // The stage's own limit ran out while the upstream was at work; at a shutdown nobody knows.
    const isTimeout =
      signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
    return isTimeout ? { ...failed, strained: true } : { ...EMPTY_REPORT, probe: "void" };
  }
  if (!(error instanceof ClipmillError)) return { ...EMPTY_REPORT, probe: "void" };
  const { code, retryAfterMs } = error;
  switch (code) {
    case "throttled":
      return { ...answered, strained: true, pushback: { code, retryAfterMs } };
    case "provider_key":
    case "provider_balance":
      return { ...answered, probe: "failed", pushback: { code, retryAfterMs } };
    case "upstream_unavailable":
    case "blocked":
    case "timeout":
      return {
        ...failed,
        strained: code === "timeout" || error.details["transport"] === "timeout",
      };
    default:
      // Whatever else is wrong is wrong with this post or with us: the upstream answered.
      return answered;
  }
}

/** Two reports as one; of two pushbacks the one about the account goes first, then the longer wait. */
export function addReports(a: Report, b: Report): Report {
  return {
    calls: a.calls + b.calls,
    failures: a.failures + b.failures,
    strained: a.strained || b.strained,
    pushback: toWorse(a.pushback, b.pushback),
    probe: b.probe ?? a.probe,
  };
}

function toWorse(a: Report["pushback"], b: Report["pushback"]): Report["pushback"] {
  if (a === null || b === null) return a ?? b;
  if ((a.code === "throttled") !== (b.code === "throttled")) return a.code === "throttled" ? b : a;
  return (a.retryAfterMs ?? 0) > (b.retryAfterMs ?? 0) ? a : b;
}
