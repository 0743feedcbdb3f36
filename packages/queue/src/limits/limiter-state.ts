import {
  type Log,
  NAMED_WAIT_MAX_MS,
  type UpstreamPolicy,
  type UpstreamState,
  type UpstreamStore,
} from "@clipmill/domain";
import { createErrorLog } from "../throttled-log.ts";
import { toSpacing } from "./sync/pace.ts";
import { EMPTY_REPORT, type Report } from "./sync/upstream-report.ts";
import type { Grant } from "./sync/upstream-sync.ts";
import { createUpstreamClock, type UpstreamClock } from "./upstream-clock.ts";

export interface LimiterOptions {
  policy: UpstreamPolicy;
  store: UpstreamStore;
  /** Names this process among those that share the upstream. */
  holder: string;
  log: Log;
  random: () => number;
}

/** What this process knows of one upstream. All moments that are not the shared state's own are of `performance.now()`. */
export interface LimiterState extends LimiterOptions {
  readonly logStoreError: (error: unknown) => void;
  readonly clock: UpstreamClock;
  /** Aborted when the limiter closes. */
  readonly closing: AbortController;

  /** The shared state as last read, or as continued alone while Postgres is away. Null: never read. */
  shared: UpstreamState | null;
  /** When it was read, on the database's clock. */
  sharedAtMs: number;
  /** From the last sync. */
  pause: Grant["pause"];
  holderCount: number;
  syncedAtMs: number;
  /** Until then Postgres counts as away, and is not asked. */
  storeRetryAtMs: number;
  /** A hold-off applies in this process at once, before the sync that reports it to the others. */
  holdOffUntilMs: number;

  /** What the next sync reports. */
  unreported: Report;
  /** What was reported to the local state alone, because Postgres was away. */
  unshared: Report;
  /** Set while a report that is not urgent waits for company. */
  reportTimer: NodeJS.Timeout | null;
  /** Syncs under way that only report. */
  readonly reporting: Set<Promise<unknown>>;
}

/** What is known of all processes' calls may be this old when a call starts. */
export const FRESH_FOR_MS = 1_000;

export function createLimiterState(options: LimiterOptions): LimiterState {
  const log = options.log.child({ upstream: options.policy.id });
  return {
    ...options,
    log,
    logStoreError: createErrorLog(log, "upstream state unreachable, using the local share"),
    clock: createUpstreamClock(),
    closing: new AbortController(),
    shared: null,
    sharedAtMs: Number.NEGATIVE_INFINITY,
    pause: null,
    holderCount: 1,
    syncedAtMs: Number.NEGATIVE_INFINITY,
    storeRetryAtMs: Number.NEGATIVE_INFINITY,
    holdOffUntilMs: Number.NEGATIVE_INFINITY,
    unreported: EMPTY_REPORT,
    unshared: EMPTY_REPORT,
    reportTimer: null,
    reporting: new Set(),
  };
}

/** How long this process must still stay away, an hour at most; 0: not at all. */
export function toPauseLeftMs({ pause, clock, holdOffUntilMs }: LimiterState): number {
  const pauseUntilMs = pause === null ? Number.NEGATIVE_INFINITY : clock.toLocalMs(pause.untilMs);
  const leftMs = Math.max(pauseUntilMs, holdOffUntilMs) - performance.now();
  return Math.min(NAMED_WAIT_MAX_MS, Math.max(0, leftMs));
}

/** This process's equal share of the calls at once. Where no rate is known, it shrinks with the pace. */
export function toInFlightMax({ policy, shared, holderCount }: LimiterState): number {
  if (policy.maxInFlight === null) return Number.POSITIVE_INFINITY;
  const pace = policy.rate === null ? (shared?.pace ?? 1) : 1;
  return Math.max(1, Math.floor((policy.maxInFlight * pace) / holderCount));
}

export function isFresh({ syncedAtMs }: LimiterState): boolean {
  return performance.now() - syncedAtMs < FRESH_FOR_MS;
}

/** A reservation that is used later than its tolerance would add to the calls of a later window. */
export function isTooLate({ policy }: LimiterState, reservedAtMs: number): boolean {
  return (
    policy.rate !== null && performance.now() - reservedAtMs > toSpacing(policy.rate).toleranceMs
  );
}
