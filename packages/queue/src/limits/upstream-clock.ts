/** Reservations are moments of the database's clock; this converts them to the process's own. */
export interface UpstreamClock {
  /** A sync that took from `sentAtMs` to `receivedAtMs` here read `databaseMs` there. */
  sample(sentAtMs: number, receivedAtMs: number, databaseMs: number): void;
  toDatabaseMs(localMs: number): number;
  toLocalMs(databaseMs: number): number;
}

/** Clocks drift by some milliseconds a minute, so a good sample is believed for that long. */
const SAMPLE_FOR_MS = 60_000;

/**
 * The sample with the shortest round trip counts: taking each one's own would move every block of reservations by the delay
 * of its own round trip, and bunch calls of different processes.
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
