import { toNamedWaitMs } from "@clipmill/domain";
import { addReport, reportAll } from "./limiter-reports.ts";
import {
  createLimiterState,
  type LimiterOptions,
  type LimiterState,
  toInFlightMax,
} from "./limiter-state.ts";
import {
  createReservations,
  toNotPermitted,
  type Wait,
  waitForPause,
  waitForReservation,
} from "./reservations.ts";
import { createSemaphore, type Semaphore } from "./semaphore.ts";
import { addReports, EMPTY_REPORT, toReport } from "./sync/upstream-report.ts";

/** Shared rate, pause and breaker of one upstream, as this process keeps to them. */
export interface UpstreamLimiter {
  /** See `Upstreams.call`. */
  call<T>(call: () => Promise<T>, options: { signal: AbortSignal }): Promise<T>;
  /** See `Upstreams.holdOff`. */
  holdOff(forMs: number): void;
  /** Reports what is not reported yet. */
  close(): Promise<void>;
}

export function createUpstreamLimiter(options: LimiterOptions): UpstreamLimiter {
  const limiter = createLimiterState(options);
  const reservations = createReservations(limiter);
  const inFlight = createSemaphore(() => toInFlightMax(limiter));
  return {
    async call(call, { signal }) {
      const wait: Wait = { signal, giveUpAtMs: performance.now() + limiter.policy.maxWaitMs };
      await waitForPause(limiter, wait);
      await acquire(limiter, inFlight, signal);
      try {
        const { isProbe } = await waitForReservation(limiter, reservations, wait);
        return await callAndReport(limiter, call, { isProbe, signal });
      } finally {
        inFlight.release();
      }
    },
    holdOff: (forMs) => holdOff(limiter, forMs),
    async close() {
      limiter.closing.abort();
      await reportAll(limiter);
      await reservations.idle();
    },
  };
}

async function acquire(
  limiter: LimiterState,
  inFlight: Semaphore,
  signal: AbortSignal,
): Promise<void> {
  if (await inFlight.acquire(limiter.policy.maxWaitMs, signal)) return;
  signal.throwIfAborted();
  throw toNotPermitted(limiter);
}

async function callAndReport<T>(
  limiter: LimiterState,
  call: () => Promise<T>,
  { isProbe, signal }: { isProbe: boolean; signal: AbortSignal },
): Promise<T> {
  if (signal.aborted) {
    // A probe that was not sent says nothing of the upstream; the next call may probe.
    if (isProbe) addReport(limiter, { ...EMPTY_REPORT, probe: "void" });
    signal.throwIfAborted();
  }
  let report = EMPTY_REPORT;
  try {
    const result = await call();
    report = toReport(undefined, signal);
    return result;
  } catch (error) {
    report = toReport(error, signal);
    throw error;
  } finally {
    addReport(limiter, isProbe ? report : { ...report, probe: null });
  }
}

function holdOff(limiter: LimiterState, namedMs: number): void {
  const forMs = toNamedWaitMs(namedMs);
  if (forMs === undefined) return;
  limiter.holdOffUntilMs = Math.max(limiter.holdOffUntilMs, performance.now() + forMs);
  // Not reported before the call's own report: if the call is a probe, its success would end this pause too.
  const pushback = { code: "throttled" as const, retryAfterMs: forMs };
  limiter.unreported = addReports(limiter.unreported, { ...EMPTY_REPORT, pushback });
}
