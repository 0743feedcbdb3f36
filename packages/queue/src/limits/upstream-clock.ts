/** Reservations are moments of the database's clock; this converts them to the process's own. */
export interface UpstreamClock {
  /** A round trip from `sentAtMs` to `receivedAtMs` (both of this process's clock) read `databaseMs` on the other end. */
  sample(sentAtMs: number, receivedAtMs: number, databaseMs: number): void;
  toDatabaseMs(localMs: number): number;
  toLocalMs(databaseMs: number): number;
}

/** Clocks drift apart by some milliseconds a minute, so after a minute any new sample replaces the best one. */
const SAMPLE_FOR_MS = 60_000;

/**
 * Uses the sample with the shortest round trip. If each sync used its own, its delay would shift the reservations that it
 * granted, and calls of different processes would come in bunches.
 */
export function createUpstreamClock(): UpstreamClock {
  let best = { offsetMs: 0, roundTripMs: Number.POSITIVE_INFINITY, atMs: 0 };
  return {
    sample(sentAtMs, receivedAtMs, databaseMs) {
      const roundTripMs = receivedAtMs - sentAtMs;
      if (roundTripMs > best.roundTripMs && receivedAtMs - best.atMs < SAMPLE_FOR_MS) return;
      const offsetMs = databaseMs - (sentAtMs + receivedAtMs) / 2;
      best = { offsetMs, roundTripMs, atMs: receivedAtMs };
    },
    toDatabaseMs: (localMs) => localMs + best.offsetMs,
    toLocalMs: (databaseMs) => databaseMs - best.offsetMs,
  };
}
