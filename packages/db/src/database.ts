import pg from "pg";
import { BoundedPool } from "./pool.ts";

/** What a statement runs on: the pool for one statement, a client inside a transaction. */
export type Queryable = Pick<pg.ClientBase, "query">;

export interface Database {
  readonly pool: pg.Pool;
  /**
   * For what must not wait behind others: leases, outcomes and signs of life. It has as many connections as these use at
   * once, and opens them when they are first used.
   */
  readonly reserved: pg.Pool;
  readonly url: string;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Connections of this process, without the reserved ones. Too few: claims wait for each other. */
  poolSize: number;
  /**
   * Callers that may wait for one of them; more get RetryableError `unavailable` at once. Default: no limit, for a process
   * whose own slots bound how many there are.
   */
  waitingMax?: number;
  /** Shown in pg_stat_activity. */
  name: string;
  /** Told of connections that break while idle; node-postgres would end the process otherwise. */
  onError(error: Error): void;
}

/** A statement that hangs longer than this holds a connection that others wait for. */
const STATEMENT_TIMEOUT_MS = 30_000;

/** Whoever stands still in mid-transaction gives up its locks after this. */
const IDLE_IN_TRANSACTION_MS = 10_000;
/** The kernel asks a silent peer for a sign of life after this, ten times in as many seconds; its own default is two hours. */
export const KEEP_ALIVE_AFTER_MS = 10_000;
const IDLE_CONNECTION_MS = 60_000;
/** For a connection. Who gets none in this time would not be answered in time with one. */
const WAITING_MAX_MS = 5_000;
/** A server whose processors are busy with other things was seen to take more than five seconds to begin a connection. */
export const CONNECT_WITHIN_MS = 15_000;
/** What node-postgres says when `query_timeout` is over. */
const READ_TIMEOUT = "Query read timeout";

/**
 * Every statement of ours finds few rows of big tables by index. Without these the planner, whose statistics lag behind
 * tables that grow by thousands of rows a second, now and then hashes a whole table for a batch of a hundred. Nested loops alone are not enough:
 * where a table looks small, an equality of columns lets the planner walk it whole from the outside. A join to rows of
 * a big table is therefore written `j.id = any (array[ref.id])`, which only an index scan per outer row can answer; a
 * test holds every statement to it.
 *
 * With no choice of plan there is nothing to plan anew: a named statement is planned once a connection. Left to itself
 * Postgres plans one with a list as parameter at each execution, because it guesses ten entries for a list whose length
 * it does not know, and finds the plan for the list at hand cheaper. At 3 posts a second that was half of the time that
 * it spent on our statements.
 */
const PLANNER_OPTIONS =
  "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c plan_cache_mode=force_generic_plan";

// bigint ids and counters stay far below 2^53; aweme_ids are text.
const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === pg.types.builtins.INT8) return Number;
    return pg.types.getTypeParser(oid, format);
  },
};

/** Two settlements, the leases of jobs that run and of jobs that are being settled, and the worker's own report. */
const RESERVED_COUNT = 5;

/** Connects lazily: the first statement opens the first connection. */
export function createDatabase(options: DatabaseOptions): Database {
  const pool = createPool(options);
  const reserved = createPool({ ...options, poolSize: RESERVED_COUNT });
  return {
    pool,
    reserved,
    url: options.url,
    async close() {
      await Promise.all([pool.end(), reserved.end()]);
    },
  };
}

function createPool({ url, poolSize, waitingMax, name, onError }: DatabaseOptions): pg.Pool {
  const pool = new BoundedPool({
    connectionString: url,
    max: poolSize,
    waitingMax,
    application_name: name,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    // Half-open connections end here instead of hanging a worker for ever.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    waitingMaxMs: WAITING_MAX_MS,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    // The driver's own 10 s end a connection between two heartbeats, and a new one costs the server a process.
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    options: PLANNER_OPTIONS,
    types,
  });
  pool.on("error", onError);
  // An error on a client that is checked out is emitted on the client; without a listener it ends the process.
  pool.on("connect", (client) => void client.on("error", onError));
  return pool;
}

const DEADLOCK_DETECTED = "40P01";
const SERIALIZATION_FAILURE = "40001";
const TRANSACTION_TRIES = 5;

export interface TransactionOptions {
  /** Of one try. The connection is dropped then; whether a commit that was under way took place is unknown. Default: the pool's limits. */
  withinMs?: number | undefined;
}

/**
 * Runs `work` in one transaction and commits. Two batches that meet rows in opposite order can deadlock; Postgres
 * ends one of them, and that one runs again from the start, so `work` must have no effect outside the transaction.
 */
export async function withTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  { withinMs }: TransactionOptions = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const client = await pool.connect();
    const limit =
      withinMs === undefined ? undefined : setTimeout(() => void client.end(), withinMs);
    try {
      await client.query("begin");
      const result = await work(client);
      await client.query("commit");
      clearTimeout(limit);
      client.release();
      return result;
    } catch (error) {
      clearTimeout(limit);
      await giveBack(client, error);
      if (tries < TRANSACTION_TRIES && isConflict(error)) continue;
      throw error;
    }
  }
}

/** A connection that did not answer would not answer a rollback: its caller would wait as long once more. */
async function giveBack(client: pg.PoolClient, cause: unknown): Promise<void> {
  if (cause instanceof Error && cause.message === READ_TIMEOUT) return client.release(true);
  try {
    await client.query("rollback");
    client.release();
  } catch {
    // The connection is gone, and the transaction with it.
    client.release(true);
  }
}

/** `full`: no disk, memory or connections left. `unanswered`: too slow, or the connection or the server went away. */
export type Outage = "full" | "unanswered";

/** What the driver and its pool say without a code. */
const UNANSWERED_MESSAGES: ReadonlySet<string> = new Set([
  "timeout exceeded when trying to connect",
  "Connection terminated due to connection timeout",
  "Connection terminated unexpectedly",
  "Connection terminated",
  "Query read timeout",
]);

/**
 * Why Postgres did not serve a statement that it may serve later; null where nothing says so. After `unanswered` a
 * commit may have happened all the same. SQLSTATE 57014 is a statement over its time, class 08 a connection that
 * broke, 57P a server that stops or starts.
 */
export function toOutage(error: unknown): Outage | null {
  if (!(error instanceof Error)) return null;
  const code = "code" in error ? String(error.code) : "";
  if (/^53\w{3}$/.test(code)) return "full";
  if (/^(57014|08\w{3}|57P\w{2})$/.test(code)) return "unanswered";
  return UNANSWERED_MESSAGES.has(error.message) ? "unanswered" : null;
}

function isConflict(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === DEADLOCK_DETECTED || code === SERIALIZATION_FAILURE;
}
