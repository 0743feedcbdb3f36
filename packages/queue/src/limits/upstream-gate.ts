import {
  type Log,
  RetryableError,
  type UpstreamPolicy,
  type UpstreamState,
  type UpstreamStore,
} from "@clipmill/domain";
import { createGroupCommit } from "../group-commit.ts";
import { createPermits } from "./permits.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";
import { createUpstreamClock } from "./upstream-clock.ts";
import { exchange, type Grant, type Report, toSpacing } from "./upstream-exchange.ts";
import { addReports, EMPTY_REPORT, toReport } from "./upstream-report.ts";

export interface UpstreamGateDeps {
  policy: UpstreamPolicy;
  store: UpstreamStore;
  /** Names this process. */
  holder: string;
  log: Log;
  random: () => number;
}

/** The gate of one upstream in this process. */
export interface UpstreamGate {
  call<T>(call: () => Promise<T>, options: { signal: AbortSignal }): Promise<T>;
  /** See `Upstreams.rest`. */
  rest(forMs: number): void;
  /** Tells what is not yet told. */
  close(): Promise<void>;
}

/** What all processes know is at most this old when a call starts. */
const FRESH_FOR_MS = 1_000;
/** All processes together exchange at most a hundred times a second, however many there are. */
const EXCHANGE_SPACING_MS = 10;
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
/** After an answer without a turn. */
const ASK_AGAIN_MS = 100;
/** Jobs that are sent back return spread over this, not all in the first moment. */
const RETURN_SPREAD_MS = 5_000;

type Ask = Parameters<typeof exchange>[1];

interface Turn {
  atMs: number;
  isProbe: boolean;
}

export function createUpstreamGate(deps: UpstreamGateDeps): UpstreamGate {
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
  let exchangedAtMs = Number.NEGATIVE_INFINITY;
  let storeRetryAtMs = Number.NEGATIVE_INFINITY;
  let untold: Report = EMPTY_REPORT;
  // Holds here before all processes know of it.
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let telling: NodeJS.Timeout | null = null;
  const underway = new Set<Promise<unknown>>();
  const permits = createPermits(() =>
    policy.maxInFlight === null
      ? Number.POSITIVE_INFINITY
      : Math.max(1, Math.floor((policy.maxInFlight * toPermitPace()) / holderCount)),
  );

  /** Where no rate is known, a strained upstream gets fewer calls at once instead. */
  function toPermitPace(): number {
    return policy.rate === null ? (known?.pace ?? 1) : 1;
  }

  const turns = createGroupCommit<null, Turn | null>({
    maxItems: BATCH_MAX,
    async flush(asks) {
      const spacingMs = exchangedAtMs + EXCHANGE_SPACING_MS * holderCount - Date.now();
      if (spacingMs > 0) await sleep(spacingMs, closing.signal);
      const { count, firstAtMs, intervalMs, isProbe } = await trade(asks.length);
      return asks.map((_, i) =>
        i < count ? { atMs: clock.toLocalMs(firstAtMs + i * intervalMs), isProbe } : null,
      );
    },
  });

  /** Tells what is untold and asks for turns: of Postgres, or of the last known state for this process's share. */
  async function trade(want: number): Promise<Grant> {
    const report = untold;
    untold = EMPTY_REPORT;
    const ask = { holder, want, report, horizonMs: policy.maxWaitMs / 2 };
    let grant: Grant;
    try {
      grant = Date.now() < storeRetryAtMs ? tradeLocally(ask) : await tradeWithAll(ask);
    } catch (error) {
      reportError(error);
      storeRetryAtMs = Date.now() + STORE_RETRY_MS;
      grant = tradeLocally(ask);
    }
    exchangedAtMs = Date.now();
    announce(grant);
    return grant;
  }

  async function tradeWithAll(ask: Ask): Promise<Grant> {
    const sentAtMs = Date.now();
    const { state, result, nowMs } = await within(
      STORE_TIMEOUT_MS,
      store.change(policy.id, (before, atMs) => exchange(before, ask, policy, atMs)),
    );
    clock.sample(sentAtMs, Date.now(), nowMs);
    // Two exchanges may be under way, and the older may be the last to arrive.
    if (nowMs < knownAtMs) return result;
    knownAtMs = nowMs;
    known = state;
    pause = result.pause;
    holderCount = result.holderCount;
    return result;
  }

  function tradeLocally(ask: Ask): Grant {
    const { rate } = policy;
    const share =
      rate === null ? null : { ...rate, windowMs: rate.windowMs * Math.max(1, holderCount) };
    const local = exchange(known, ask, { rate: share }, clock.toDatabaseMs(Date.now()));
    known = local.state;
    pause = local.result.pause;
    return local.result;
  }

  function announce({ news, pause: now }: Grant): void {
    if (news === null) return;
    const forMs = now === null ? 0 : Math.round(now.untilMs - clock.toDatabaseMs(Date.now()));
    if (news === "resumed") log.info({}, "upstream resumed");
    else if (news === "throttled") log.info({ code: news, forMs }, "upstream paused");
    else if (news === "paused") log.warn({ code: news, forMs }, "upstream paused");
    else log.error({ code: news, forMs }, "provider paused: its key or balance needs a person");
  }

  function tell(report: Report): void {
    untold = addReports(untold, report);
    const isUrgent = untold.complaint !== null || untold.probe !== null || untold.strained;
    if (isUrgent) tellNow();
    else telling ??= setTimeout(tellNow, FRESH_FOR_MS).unref();
  }

  function tellNow(): void {
    if (telling !== null) clearTimeout(telling);
    telling = null;
    const done = trade(0).finally(() => underway.delete(done));
    underway.add(done);
  }

  /** How long the present pause still lasts. */
  function toPauseMs(): number {
    const sharedUntilMs = pause === null ? 0 : clock.toLocalMs(pause.untilMs);
    return Math.max(0, Math.max(sharedUntilMs, restUntilMs) - Date.now());
  }

  function toSentBack(): RetryableError {
    const pauseMs = toPauseMs();
    const code = pause?.code ?? (pauseMs > 0 ? "throttled" : "rate_limited");
    const retryAfterMs = Math.ceil(Math.max(pauseMs, HOLD_MS) + random() * RETURN_SPREAD_MS);
    return new RetryableError(code, `${policy.id} has no turn for this call yet`, {
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

  async function waitForTurn(giveUpAtMs: number, signal: AbortSignal): Promise<Turn> {
    for (;;) {
      await waitForPause(giveUpAtMs, signal);
      const isFresh = Date.now() - exchangedAtMs < FRESH_FOR_MS;
      if (policy.rate === null && pause === null && isFresh)
        return { atMs: Date.now(), isProbe: false };
      const turn = await turns.add(null);
      if (turn === null) {
        if (toPauseMs() === 0) await sleep(ASK_AGAIN_MS, signal);
        continue;
      }
      const aheadMs = turn.atMs - Date.now();
      if (aheadMs > 0) await sleep(aheadMs, signal);
      if (turn.isProbe) return turn;
      const isLate = policy.rate !== null && Date.now() - turn.atMs > toleranceMs;
      if (!isLate && toPauseMs() === 0) return turn;
    }
  }

  return {
    async call(call, { signal }) {
      const giveUpAtMs = Date.now() + policy.maxWaitMs;
      await waitForPause(giveUpAtMs, signal);
      if (!(await permits.acquire(policy.maxWaitMs, signal))) {
        signal.throwIfAborted();
        throw toSentBack();
      }
      try {
        const { isProbe } = await waitForTurn(giveUpAtMs, signal);
        if (signal.aborted) {
          // It is not sent, which says nothing of the upstream; the next one may probe.
          if (isProbe) tell({ ...EMPTY_REPORT, probe: "void" });
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
          tell(isProbe ? report : { ...report, probe: null });
        }
      } finally {
        permits.release();
      }
    },
    rest(forMs) {
      restUntilMs = Math.max(restUntilMs, Date.now() + forMs);
      // Told with the call's own report: a probe that ends well would else end this pause too.
      const complaint = { code: "throttled" as const, retryAfterMs: forMs };
      untold = addReports(untold, { ...EMPTY_REPORT, complaint });
    },
    async close() {
      closing.abort();
      if (telling !== null) tellNow();
      await Promise.all(underway);
      await turns.idle();
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
