import type { LimiterState } from "./limiter-state.ts";
import { addReports, EMPTY_REPORT } from "./sync/upstream-report.ts";
import { type Grant, sync, type SyncRequest } from "./sync/upstream-sync.ts";

/** While Postgres is away it is asked this often, and the local share counts. */
export const STORE_RETRY_MS = 1_000;
/** A database that hangs counts as away, so that calls do not hang with it. */
const STORE_TIMEOUT_MS = 3_000;

/**
 * Reports what is unreported and asks for `want` reservations: from the shared state, or while Postgres is away, from
 * this process's share of the state as last known.
 */
export async function syncLimiter(limiter: LimiterState, want: number): Promise<Grant> {
  const { holder, policy, unreported } = limiter;
  limiter.unreported = EMPTY_REPORT;
  const request = { holder, want, report: unreported, horizonMs: policy.maxWaitMs / 2 };
  const grant = await syncWithStore(limiter, request);
  limiter.syncedAtMs = performance.now();
  logChange(limiter, grant);
  return grant;
}

async function syncWithStore(limiter: LimiterState, request: SyncRequest): Promise<Grant> {
  // Also what could not be shared before: the others never heard of it, and the shared state replaces our own.
  const report = addReports(limiter.unshared, request.report);
  limiter.unshared = EMPTY_REPORT;
  if (performance.now() >= limiter.storeRetryAtMs) {
    try {
      return await syncShared(limiter, { ...request, report });
    } catch (error) {
      limiter.logStoreError(error);
      limiter.storeRetryAtMs = performance.now() + STORE_RETRY_MS;
    }
  }
  limiter.unshared = addReports(report, limiter.unshared);
  return syncLocally(limiter, request);
}

async function syncShared(limiter: LimiterState, request: SyncRequest): Promise<Grant> {
  const { policy, store, clock } = limiter;
  const sentAtMs = performance.now();
  const { state, result, nowMs } = await within(
    STORE_TIMEOUT_MS,
    store.change(policy.id, (before, atMs) => sync(before, request, policy, atMs)),
  );
  clock.sample(sentAtMs, performance.now(), nowMs);
  // Two syncs may be under way at once, and the older one may arrive last. More than that is a clock that was set back.
  const behindMs = limiter.sharedAtMs - nowMs;
  if (behindMs > 0 && behindMs <= STORE_TIMEOUT_MS) return result;
  limiter.sharedAtMs = nowMs;
  limiter.shared = state;
  limiter.pause = result.pause;
  limiter.holderCount = result.holderCount;
  return result;
}

/** A window that is n times as long gives this process one of n equal shares of the rate. */
function syncLocally(limiter: LimiterState, request: SyncRequest): Grant {
  const { shared, clock, holderCount } = limiter;
  const { rate } = limiter.policy;
  const share =
    rate === null ? null : { ...rate, windowMs: rate.windowMs * Math.max(1, holderCount) };
  const local = sync(shared, request, { rate: share }, clock.toDatabaseMs(performance.now()));
  limiter.shared = local.state;
  limiter.pause = local.result.pause;
  return local.result;
}

function logChange({ log, clock }: LimiterState, { change, pause }: Grant): void {
  if (change === null) return;
  const forMs =
    pause === null ? 0 : Math.round(pause.untilMs - clock.toDatabaseMs(performance.now()));
  if (change === "resumed") log.info({}, "upstream resumed");
  else if (change === "throttled") log.info({ code: change, forMs }, "upstream paused");
  else if (change === "paused") log.warn({ code: change, forMs }, "upstream paused");
  else log.error({ code: change, forMs }, "provider paused: its key or balance needs a person");
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
