/**
 * Reservations are moments of the database's clock; this converts them to the process's own, which counts from its start
 * and which nobody sets.
 */
export interface UpstreamClock {
  /** A round trip from `sentAtMs` to `receivedAtMs` (both of this process's clock) read `databaseMs` on the other end. */
  sample(sentAtMs: number, receivedAtMs: number, databaseMs: number): void;
  toDatabaseMs(localMs: number): number;
  toLocalMs(databaseMs: number): number;
}

/** Clocks drift apart by some milliseconds a minute, so after a minute any new sample replaces the best one. */
const SAMPLE_FOR_MS = 60_000;

/** Clocks that differ by so much more than the round trips explain were set since. */
const SET_CLOCK_MS = 1_000;

/**
 * Uses the sample with the shortest round trip. If each sync used its own, its delay would shift the reservations that it
 * granted, and calls of different processes would come in bunches.
 */
export function createUpstreamClock(): UpstreamClock {
  const offsetMs = Date.now() - performance.now();
  let best = { offsetMs, roundTripMs: Number.POSITIVE_INFINITY, atMs: 0 };
  return {
    sample(sentAtMs, receivedAtMs, databaseMs) {
      const roundTripMs = receivedAtMs - sentAtMs;
      const offsetMs = databaseMs - (sentAtMs + receivedAtMs) / 2;
      const wasSet =
        Math.abs(offsetMs - best.offsetMs) > SET_CLOCK_MS + roundTripMs + best.roundTripMs;
      const isRecent = receivedAtMs - best.atMs < SAMPLE_FOR_MS;
      if (roundTripMs > best.roundTripMs && isRecent && !wasSet) return;
      best = { offsetMs, roundTripMs, atMs: receivedAtMs };
    },
    toDatabaseMs: (localMs) => localMs + best.offsetMs,
    toLocalMs: (databaseMs) => databaseMs - best.offsetMs,
  };
}
