import { RetryableError } from "@clipmill/domain";
import pg from "pg";

export interface BoundedPoolConfig extends pg.PoolConfig {
  /** Callers that may wait for a connection; more are refused. Default: no limit. */
  waitingMax?: number | undefined;
  /** How long a caller waits for a connection, a new one or one that others give back. */
  waitingMaxMs: number;
  /** How long a new connection may take, whoever waits for it. */
  connectionTimeoutMillis: number;
}

type Connected = Parameters<pg.Pool["connect"]>[0];

/** In the driver's words, by which `toOutage` knows it. */
const NONE_IN_TIME = "timeout exceeded when trying to connect";

/**
 * A pool whose line has an end. Whoever comes to a full line gets RetryableError `unavailable` at once, without having
 * cost a connection. Without a limit all wait that long once more callers come than are served: each gives up, asks
 * again, and none is served.
 *
 * A connection that its caller no longer waits for is kept for the next one. The driver's own limit is one for both, and
 * throws the connection away: where the machine takes longer than that to make one, all effort goes into new ones and
 * nobody ever gets one (seen at a load of 22 on two cores, with 5 s).
 */
export class BoundedPool extends pg.Pool {
  readonly #waitingMax: number;
  readonly #waitingMaxMs: number;

  constructor(config: BoundedPoolConfig) {
    const { waitingMax = Number.POSITIVE_INFINITY, waitingMaxMs, ...ofDriver } = config;
    super(ofDriver);
    this.#waitingMax = waitingMax;
    this.#waitingMaxMs = waitingMaxMs;
  }

  // `query` takes its connection here, too, with a callback.
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.PoolClient> | void {
    if (callback !== undefined) return this.#connect(callback);
    return new Promise((resolve, reject) => {
      this.#connect((error, client) => {
        if (client === undefined) reject(error);
        else resolve(client);
      });
    });
  }

  #connect(callback: Connected): void {
    if (this.idleCount > this.waitingCount) return super.connect(callback);
    if (this.waitingCount >= this.#waitingMax) {
      const refusal = new RetryableError(
        "unavailable",
        `all connections to the database are taken, and ${this.waitingCount} callers wait for one`,
      );
      process.nextTick(() => callback(refusal, undefined, () => {}));
      return;
    }
    let isWaiting = true;
    const timer = setTimeout(() => {
      isWaiting = false;
      callback(new Error(NONE_IN_TIME), undefined, () => {});
    }, this.#waitingMaxMs);
    super.connect((error, client, release) => {
      clearTimeout(timer);
      if (isWaiting) callback(error, client, release);
      else if (client !== undefined) release();
    });
  }
}
