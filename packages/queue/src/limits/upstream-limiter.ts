import {
  type Log,
  RetryableError,
  type UpstreamPolicy,
  type UpstreamState,
  type UpstreamStore,
} from "@clipmill/domain";
import { createGroupCommit } from "../group-commit.ts";
import { createSemaphore } from "./semaphore.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";
import { createUpstreamClock } from "./upstream-clock.ts";
import { sync, type Grant, type Report, toSpacing } from "./upstream-sync.ts";
import { addReports, EMPTY_REPORT, toReport } from "./upstream-report.ts";

export interface UpstreamLimiterDeps {
  policy: UpstreamPolicy;
  store: UpstreamStore;
  /** Names this process. */
  holder: string;
  log: Log;
  random: () => number;
}

/** The limiter of one upstream in this process. */
export interface UpstreamLimiter {
  call<T>(call: () => Promise<T>, options: { signal: AbortSignal }): Promise<T>;
  /** See `Upstreams.holdOff`. */
  holdOff(forMs: number): void;
  /** Reports what is not yet reported. */
  close(): Promise<void>;
}

/** What all processes know is at most this old when a call starts. */
const FRESH_FOR_MS = 1_000;
/** All processes together sync at most a hundred times a second, however many there are. */
const SYNC_SPACING_MS = 10;
/** While Postgres is away it is asked this often, and the local share counts. */
const STORE_RETRY_MS = 1_000;
/** A database that hangs is as good as away: calls must not hang with it. */
const STORE_TIMEOUT_MS = 3_000;
const BATCH_MAX = 100;
/**
 * A call that cannot go within its time is not sent back at once: a worker would run through its whole backlog in
 * no time, only to put each job back. Half a second makes that 40 jobs a second with 20 slots.
 */
const HOLD_MS = 500;
/** After an answer without a reservation. */
const ASK_AGAIN_MS = 100;
/** Jobs that are sent back return spread over this, not all in the first moment. */
const RETURN_SPREAD_MS = 5_000;

type Ask = Parameters<typeof sync>[1];

interface Reservation {
  atMs: number;
  isProbe: boolean;
}

export function createUpstreamLimiter(deps: UpstreamLimiterDeps): UpstreamLimiter {
  const { policy, store, holder, random } = deps;
  const log = deps.log.child({ upstream: policy.id });
  const reportError = createErrorLog(log, "upstream state unreachable, using the local share");
  const clock = createUpstreamClock();
  const closing = new AbortController();
  const toleranceMs = policy.rate === null ? 0 : toSpacing(policy.rate).toleranceMs;
  let known: UpstreamState | null = null;
  let knownAtMs = Number.NEGATIVE_INFINITY;
  let holderCount = 1;
  let pause: Grant["pause"] = null;
  let syncedAtMs = Number.NEGATIVE_INFINITY;
  let storeRetryAtMs = Number.NEGATIVE_INFINITY;
  let unreported: Report = EMPTY_REPORT;
  // Holds here before all processes know of it.
  let holdOffUntilMs = Number.NEGATIVE_INFINITY;
  let reportTimer: NodeJS.Timeout | null = null;
  const underway = new Set<Promise<unknown>>();
  const semaphore = createSemaphore(() =>
    policy.maxInFlight === null
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.floor((policy.maxInFlight * toInFlightPace()) / holderCount)),
  );

  /** Where no rate is known, a strained upstream gets fewer calls at once instead. */
  function toInFlightPace(): number {
    return policy.rate === null ? (known?.pace ?? 1) : 1;
  }

  const reservations = createGroupCommit<null, Reservation | null>({
    maxItems: BATCH_MAX,
    async flush(asks) {
      const spacingMs = syncedAtMs + SYNC_SPACING_MS * holderCount - Date.now();
      if (spacingMs > 0) await sleep(spacingMs, closing.signal);
      const { count, firstAtMs, intervalMs, isProbe } = await syncOnce(asks.length);
      return asks.map((_, i) =>
        i < count ? { atMs: clock.toLocalMs(firstAtMs + i * intervalMs), isProbe } : null,
      );
    },
  });

  /** Reports what is unreported and asks for reservations: of Postgres, or of the last known state for this process's share. */
  async function syncOnce(want: number): Promise<Grant> {
    const report = unreported;
    unreported = EMPTY_REPORT;
    const ask = { holder, want, report, horizonMs: policy.maxWaitMs / 2 };
    let grant: Grant;
    try {
      grant = Date.now() < storeRetryAtMs ? syncLocally(ask) : await syncWithStore(ask);
    } catch (error) {
      reportError(error);
      storeRetryAtMs = Date.now() + STORE_RETRY_MS;
      grant = syncLocally(ask);
    }
    syncedAtMs = Date.now();
    announce(grant);
    return grant;
  }

  async function syncWithStore(ask: Ask): Promise<Grant> {
    const sentAtMs = Date.now();
    const { state, result, nowMs } = await within(
      STORE_TIMEOUT_MS,
      store.change(policy.id, (before, atMs) => sync(before, ask, policy, atMs)),
    );
    clock.sample(sentAtMs, Date.now(), nowMs);
    // Two syncs may be under way, and the older may be the last to arrive.
    if (nowMs < knownAtMs) return result;
    knownAtMs = nowMs;
    known = state;
    pause = result.pause;
    holderCount = result.holderCount;
    return result;
  }

  function syncLocally(ask: Ask): Grant {
    const { rate } = policy;
    const share =
      rate === null ? null : { ...rate, windowMs: rate.windowMs * Math.max(1, holderCount) };
    const local = sync(known, ask, { rate: share }, clock.toDatabaseMs(Date.now()));
    known = local.state;
    pause = local.result.pause;
    return local.result;
  }

  function announce({ change, pause: now }: Grant): void {
    if (change === null) return;
    const forMs = now === null ? 0 : Math.round(now.untilMs - clock.toDatabaseMs(Date.now()));
    if (change === "resumed") log.info({}, "upstream resumed");
    else if (change === "throttled") log.info({ code: change, forMs }, "upstream paused");
    else if (change === "paused") log.warn({ code: change, forMs }, "upstream paused");
    else log.error({ code: change, forMs }, "provider paused: its key or balance needs a person");
  }

  function addReport(report: Report): void {
    unreported = addReports(unreported, report);
    const isUrgent =
      unreported.pushback !== null || unreported.probe !== null || unreported.strained;
    if (isUrgent) reportNow();
    else reportTimer ??= setTimeout(reportNow, FRESH_FOR_MS).unref();
  }

  function reportNow(): void {
    if (reportTimer !== null) clearTimeout(reportTimer);
    reportTimer = null;
    const done = syncOnce(0).finally(() => underway.delete(done));
    underway.add(done);
  }

  /** How long the present pause still lasts. */
  function toPauseMs(): number {
    const sharedUntilMs = pause === null ? 0 : clock.toLocalMs(pause.untilMs);
    return Math.max(0, Math.max(sharedUntilMs, holdOffUntilMs) - Date.now());
  }

  function toSentBack(): RetryableError {
    const pauseMs = toPauseMs();
    const code = pause?.code ?? (pauseMs > 0 ? "throttled" : "rate_limited");
    const retryAfterMs = Math.ceil(Math.max(pauseMs, HOLD_MS) + random() * RETURN_SPREAD_MS);
    return new RetryableError(code, `${policy.id} has no reservation for this call yet`, {
      upstream: policy.id,
      retryAfterMs,
      details: { sent: false },
    });
  }

  /** Returns once no pause is on; throws when it lasts longer than the call may wait. */
  async function waitForPause(giveUpAtMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const leftMs = giveUpAtMs - Date.now();
      const pauseMs = toPauseMs();
      if (leftMs <= 0 || pauseMs > leftMs) {
        await sleep(Math.min(HOLD_MS, Math.max(0, leftMs)), signal);
        signal.throwIfAborted();
        throw toSentBack();
      }
      if (pauseMs === 0) return;
      await sleep(pauseMs, signal);
    }
  }

  async function waitForReservation(giveUpAtMs: number, signal: AbortSignal): Promise<Reservation> {
    for (;;) {
      await waitForPause(giveUpAtMs, signal);
      const isFresh = Date.now() - syncedAtMs < FRESH_FOR_MS;
      if (policy.rate === null && pause === null && isFresh)
        return { atMs: Date.now(), isProbe: false };
      const reservation = await reservations.add(null);
      if (reservation === null) {
        if (toPauseMs() === 0) await sleep(ASK_AGAIN_MS, signal);
        continue;
      }
      const aheadMs = reservation.atMs - Date.now();
      if (aheadMs > 0) await sleep(aheadMs, signal);
      if (reservation.isProbe) return reservation;
      const isLate = policy.rate !== null && Date.now() - reservation.atMs > toleranceMs;
      if (!isLate && toPauseMs() === 0) return reservation;
    }
  }

  return {
    async call(call, { signal }) {
      const giveUpAtMs = Date.now() + policy.maxWaitMs;
      await waitForPause(giveUpAtMs, signal);
      if (!(await semaphore.acquire(policy.maxWaitMs, signal))) {
        signal.throwIfAborted();
        throw toSentBack();
      }
      try {
        const { isProbe } = await waitForReservation(giveUpAtMs, signal);
        if (signal.aborted) {
          // It is not sent, which says nothing of the upstream; the next one may probe.
          if (isProbe) addReport({ ...EMPTY_REPORT, probe: "void" });
          signal.throwIfAborted();
        }
        let report: Report = EMPTY_REPORT;
        try {
          const result = await call();
          report = toReport(undefined, signal);
          return result;
        } catch (error) {
          report = toReport(error, signal);
          throw error;
        } finally {
          addReport(isProbe ? report : { ...report, probe: null });
        }
      } finally {
        semaphore.release();
      }
    },
    holdOff(forMs) {
      holdOffUntilMs = Math.max(holdOffUntilMs, Date.now() + forMs);
      // Told with the call's own report: a probe that ends well would else end this pause too.
      const pushback = { code: "throttled" as const, retryAfterMs: forMs };
      unreported = addReports(unreported, { ...EMPTY_REPORT, pushback });
    },
    async close() {
      closing.abort();
      if (reportTimer !== null) reportNow();
      await Promise.all(underway);
      await reservations.idle();
    },
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
