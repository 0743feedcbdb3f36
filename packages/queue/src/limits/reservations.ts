import { RetryableError } from "@clipmill/domain";
import { createGroupCommit, type GroupCommit } from "../group-commit.ts";
import { sleep } from "../sleep.ts";
import { isFresh, isTooLate, type LimiterState, toPauseLeftMs } from "./limiter-state.ts";
import { syncLimiter } from "./limiter-sync.ts";

/** A moment at which one call is permitted. */
export interface Reservation {
  /** As `performance.now()` counts. */
  atMs: number;
  isProbe: boolean;
}

/** Asks for reservations, those of many calls in one sync. Null: none was granted. */
export type Reservations = GroupCommit<null, Reservation | null>;

/** How long a call may wait, and what ends its wait early. */
export interface Wait {
  giveUpAtMs: number;
  signal: AbortSignal;
}

/** All processes together sync at most a hundred times a second, however many there are. */
const SYNC_SPACING_MS = 10;
const BATCH_MAX = 100;
/** Ask again after this when no reservation was granted. */
const ASK_AGAIN_MS = 100;
/**
 * A call whose pause outlasts its wait is still held for half a second before its job goes back: otherwise a worker would
 * take its whole backlog in no time, only to put each job back. With 20 slots half a second makes it 40 jobs a second.
 */
const HOLD_MS = 500;
/** Jobs that went back come again spread over this time, not all in the first moment. */
const RETURN_SPREAD_MS = 5_000;

export function createReservations(limiter: LimiterState): Reservations {
  return createGroupCommit({
    maxItems: BATCH_MAX,
    async flush(calls) {
      const spacingMs =
        limiter.syncedAtMs + SYNC_SPACING_MS * limiter.holderCount - performance.now();
      if (spacingMs > 0) await sleep(spacingMs, limiter.closing.signal);
      const { count, firstAtMs, intervalMs, isProbe } = await syncLimiter(limiter, calls.length);
      return calls.map((_, i) =>
        i < count ? { atMs: limiter.clock.toLocalMs(firstAtMs + i * intervalMs), isProbe } : null,
      );
    },
  });
}

/** Resolves at the moment of a reservation. Throws a RetryableError where the call would have to wait for too long. */
export async function waitForReservation(
  limiter: LimiterState,
  reservations: Reservations,
  wait: Wait,
): Promise<Reservation> {
  for (;;) {
    await waitForPause(limiter, wait);
    if (needsNone(limiter)) return { atMs: performance.now(), isProbe: false };
    const reservation = await reservations.add(null);
    if (reservation === null) {
      if (toPauseLeftMs(limiter) === 0) await sleep(ASK_AGAIN_MS, wait.signal);
      continue;
    }
    const untilMs = reservation.atMs - performance.now();
    // None is granted so far ahead: the database's clock was set, and by the next sample we know.
    if (untilMs > limiter.policy.maxWaitMs) {
      await sleep(ASK_AGAIN_MS, wait.signal);
      continue;
    }
    if (untilMs > 0) await sleep(untilMs, wait.signal);
    // A probe goes although the upstream is paused: it is how the pause ends.
    if (reservation.isProbe) return reservation;
    if (!isTooLate(limiter, reservation.atMs) && toPauseLeftMs(limiter) === 0) return reservation;
  }
}

/** Without a rate nothing is to be reserved: a look at the shared state each second is enough. */
function needsNone(limiter: LimiterState): boolean {
  return limiter.policy.rate === null && limiter.pause === null && isFresh(limiter);
}

/** Resolves when the upstream is not paused. Throws a RetryableError where the pause outlasts the call's wait. */
export async function waitForPause(
  limiter: LimiterState,
  { giveUpAtMs, signal }: Wait,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const leftMs = giveUpAtMs - performance.now();
    const pauseMs = toPauseLeftMs(limiter);
    if (leftMs <= 0 || pauseMs > leftMs) {
      await sleep(Math.min(HOLD_MS, Math.max(0, leftMs)), signal);
      signal.throwIfAborted();
      throw toNotPermitted(limiter);
    }
    if (pauseMs === 0) return;
    await sleep(pauseMs, signal);
  }
}

/** Sends the call's job back to Postgres; it costs no attempt, since the call was not made. */
export function toNotPermitted(limiter: LimiterState): RetryableError {
  const { policy, pause, random } = limiter;
  const pauseMs = toPauseLeftMs(limiter);
  const code = pause?.code ?? (pauseMs > 0 ? "throttled" : "rate_limited");
  return new RetryableError(code, `${policy.id} has no reservation for this call yet`, {
    upstream: policy.id,
    retryAfterMs: Math.ceil(Math.max(pauseMs, HOLD_MS) + random() * RETURN_SPREAD_MS),
    details: { sent: false },
  });
}
