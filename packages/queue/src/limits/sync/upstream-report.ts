import { ClipmillError, type PauseCode } from "@clipmill/domain";

/** "Slow down", or "your key or balance is not good": what an upstream said against further calls. */
export interface Pushback {
  code: Exclude<PauseCode, "paused">;
  retryAfterMs: number | undefined;
}

/** What a process reports about the calls that ended since its last sync. */
export interface Report {
  calls: number;
  /** Calls that the upstream left unanswered or broke off. */
  failures: number;
  /** The upstream was too slow for a call, or asked to slow down. */
  strained: boolean;
  /** The worst of several; null: none. */
  pushback: Pushback | null;
  /** How this process's probe ended; `void` says nothing of the upstream. Null: it had none. */
  probe: "passed" | "failed" | "void" | null;
}

export const EMPTY_REPORT: Report = {
  calls: 0,
  failures: 0,
  strained: false,
  pushback: null,
  probe: null,
};

/** What a call that ended says about its upstream; an `error` of `undefined` is a success. */
export function toReport(error: unknown, signal: AbortSignal): Report {
  const answered: Report = { ...EMPTY_REPORT, calls: 1, probe: "passed" };
  const failed: Report = { ...answered, failures: 1, probe: "failed" };
  if (error === undefined) return answered;
  if (signal.aborted) {
    // A stage that ran out of time waited for the upstream, which counts against it; a shutdown says nothing of it.
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
      // Any other error is about this post or about us: the upstream did answer.
      return answered;
  }
}

/** The sum of two reports. Of their pushbacks one about the account wins, then the one with the longer wait. */
export function addReports(a: Report, b: Report): Report {
  return {
    calls: a.calls + b.calls,
    failures: a.failures + b.failures,
    strained: a.strained || b.strained,
    pushback: toWorse(a.pushback, b.pushback),
    probe: b.probe ?? a.probe,
  };
}

function toWorse(a: Pushback | null, b: Pushback | null): Pushback | null {
  if (a === null || b === null) return a ?? b;
  if ((a.code === "throttled") !== (b.code === "throttled")) return a.code === "throttled" ? b : a;
  return (a.retryAfterMs ?? 0) > (b.retryAfterMs ?? 0) ? a : b;
}
