import { RetryableError } from "@clipmill/domain";
import pg from "pg";

/** `waitingMax`: callers that may wait for a connection; more are refused. Default: no limit. */
export interface BoundedPoolConfig extends pg.PoolConfig {
  waitingMax?: number | undefined;
}

type Connected = Parameters<pg.Pool["connect"]>[0];

/**
 * A pool whose line has an end. Whoever comes to a full line gets RetryableError `unavailable` at once, without having
 * cost a connection; whoever has a place in it is served, or refused when `connectionTimeoutMillis` is over. Without a
 * limit all wait that long once more callers come than are served: each gives up, asks again, and none is served.
 */
export class BoundedPool extends pg.Pool {
  readonly #waitingMax: number;

  constructor({ waitingMax = Number.POSITIVE_INFINITY, ...config }: BoundedPoolConfig) {
    super(config);
    this.#waitingMax = waitingMax;
  }

  // `query` takes its connection here, too, with a callback.
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.PoolClient> | void {
    if (!this.#isLineFull())
      return callback === undefined ? super.connect() : super.connect(callback);
    const refusal = new RetryableError(
      "unavailable",
      `all ${this.totalCount} connections to the database are taken, and ${this.waitingCount} callers wait for one`,
    );
    if (callback === undefined) return Promise.reject(refusal);
    process.nextTick(() => callback(refusal, undefined, () => {}));
  }

  #isLineFull(): boolean {
    return this.idleCount === 0 && this.waitingCount >= this.#waitingMax;
  }
}
