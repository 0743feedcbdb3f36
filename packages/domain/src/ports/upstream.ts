/**
 * The limiters of other people's machines. Rate limits, pauses and breakers are shared by all workers and processes.
 */
export interface Upstreams {
  /**
   * Runs `call` as soon as the upstream's limits allow. Where that takes longer than its `maxWaitMs`, this throws a
   * RetryableError that costs no attempt, with `retryAfterMs`: `rate_limited` for the rate and the calls at once,
   * `throttled` while the upstream has asked to be left alone, `paused` for an open breaker, `provider_key` or
   * `provider_balance` while the provider is paused for that. `call` has not run then.
   * An upstream that has no policy runs at once. An abort rejects with the signal's reason.
   */
  call<T>(upstream: string, call: () => Promise<T>, options: { signal: AbortSignal }): Promise<T>;
  /**
   * The upstream said, with an answer of any kind, that it takes no call for `forMs`: no process calls it until then, as
   * after a 429, but the pace afterwards stays the same. To be called from within the call that got this answer.
   */
  holdOff(upstream: string, forMs: number): void;
}

/** What one upstream allows under one credential. */
export interface UpstreamPolicy {
  /** Names the shared state: engine id and a hash of the credential, such as `tiklive#1f3a90c2`. Never the credential. */
  id: string;
  /** Null: the upstream names no limit, and only pauses, the breaker and `maxInFlight` hold calls back. */
  rate: UpstreamRate | null;
  /** Calls at once over all processes; null where the queue's concurrency is bound enough. */
  maxInFlight: number | null;
  /** How long a call may wait for a reservation before its job goes back to Postgres. Too high: waiting calls fill the workers. */
  maxWaitMs: number;
}

export interface UpstreamRate {
  /** Never more calls than this in any window of `windowMs`, wherever the window starts. */
  calls: number;
  windowMs: number;
  /**
   * How many calls may come late and so stand close together. They are taken off the steady pace, since a late call and
   * one in time may fall into one window. May be a fraction; too small, and a busy machine misses reservations that nobody else gets.
   */
  burst: number;
}

/** Why nobody calls an upstream for a while. Only `throttled` ends by itself; the others wait for a probe that succeeds. */
export type PauseCode = "throttled" | "paused" | "provider_key" | "provider_balance";

/** What all processes share about one upstream. Moments are milliseconds of the database's clock. */
export interface UpstreamState {
  /** The earliest reservation that is still free. In the column `next_turn_at`, which workers of an older version know. */
  nextReservationAtMs: number;
  /** The share of the permitted rate that is used, as it was at `paceAtMs`: 1 unless the upstream pushed back. */
  pace: number;
  paceAtMs: number;
  pause: UpstreamPause | null;
  /** What became of calls, by stretches of 10 s; the last three make the breaker's window. */
  tallies: UpstreamTally[];
  /** When each process was last seen here. */
  holders: Record<string, number>;
}

export interface UpstreamPause {
  code: PauseCode;
  untilMs: number;
  /** Failed probes in a row; each doubles the next pause. */
  failedProbes: number;
  /** Until then a probe is under way, and nobody else calls. */
  probeUntilMs: number | null;
}

export interface UpstreamTally {
  fromMs: number;
  calls: number;
  failures: number;
}

/** The shared states, in Postgres on both queue backends. */
export interface UpstreamStore {
  /**
   * Applies `next` to the state and stores what it returns, as if nobody else were there. `next` must be pure: it runs
   * again when another process was faster. `null` is an upstream that nobody has called yet.
   */
  change<T>(
    id: string,
    next: (state: UpstreamState | null, nowMs: number) => { state: UpstreamState; result: T },
  ): Promise<{ result: T; state: UpstreamState; nowMs: number }>;
}
