import { RetryableError } from "@clipmill/domain";

/** At most this many keys in one statement: bounds its answer, and how long one key waits for the others. */
const BATCH_MAX = 50;
/** Keys that may wait: a hundred batches. More come only where Postgres answers far more slowly than it is asked. */
const WAITING_MAX = 5_000;

/** How a batch is read: a connection that hangs must not hold up those who ask later. It takes some ms otherwise. */
export const READ = { query_timeout: 10_000 };

/**
 * SQL: the keys that were asked for, as a table. The select around `$1` hides the length of the list. Otherwise
 * Postgres would estimate a list of two keys as cheaper than a list of unknown length, and plan the prepared statement
 * again at each execution.
 */
export const ASKED = "unnest((select $1::text[])) as asked (id)";

export interface BatchOptions {
  /**
   * How many batches, and so connections, run at once. Too few: a slow batch holds up the others. Too many: each batch
   * has one key. With two, Postgres reads one while the answers of the other are written, and the pool is left to the
   * writers.
   */
  inFlightMax: number;
}

/**
 * Reads many keys in one statement. A key waits until the event loop's current turn ends and fewer than `inFlightMax`
 * batches run; then it is read together with all keys asked for since. Nothing is cached: every answer is read after it
 * was asked for. Undefined if `load` returns no row for the key. Rejects with the error of its batch, or with
 * RetryableError `unavailable` where too many wait.
 */
export function createBatchedFind<Row>(
  load: (keys: string[]) => Promise<ReadonlyMap<string, Row>>,
  { inFlightMax }: BatchOptions = { inFlightMax: 2 },
): (key: string) => Promise<Row | undefined> {
  const waiting = new Map<string, PromiseWithResolvers<Row | undefined>>();
  let inFlight = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || waiting.size === 0 || inFlight >= inFlightMax) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      void runBatch();
      schedule();
    });
  }

  async function runBatch(): Promise<void> {
    const batch = [...waiting].slice(0, BATCH_MAX);
    for (const [key] of batch) waiting.delete(key);
    inFlight++;
    try {
      const rows = await load(batch.map(([key]) => key));
      for (const [key, { resolve }] of batch) resolve(rows.get(key));
    } catch (error) {
      for (const [, { reject }] of batch) reject(error);
    } finally {
      inFlight--;
      schedule();
    }
  }

  return (key) => {
    const earlier = waiting.get(key);
    if (earlier !== undefined) return earlier.promise;
    if (waiting.size >= WAITING_MAX)
      return Promise.reject(
        new RetryableError("unavailable", "too many reads wait for the database"),
      );
    const asked = Promise.withResolvers<Row | undefined>();
    waiting.set(key, asked);
    schedule();
    return asked.promise;
  };
}
