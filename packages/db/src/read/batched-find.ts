/** Most keys of one statement: bounds its answer, and how long one key waits for the others. */
const BATCH_MAX = 50;

/**
 * Keys that were asked for, as a table. In a select of their own, or Postgres would take a list of two to be a cheaper
 * plan than the list of any length that a prepared statement is planned for, and plan it anew at each execution.
 */
export const ASKED = "unnest((select $1::text[])) as asked (id)";

export interface BatchOptions {
  /**
   * Batches at once, and so connections. Too few: a slow one holds up the rest. Too many: each has one key. Two keep
   * Postgres busy while the answers of the other are written, and leave the pool to the writers.
   */
  inFlightMax: number;
}

/**
 * Reads many keys in one statement. A key waits for the end of the event loop's turn, or for one of `inFlightMax`
 * batches to end, and goes with whatever was asked for since. Nothing is kept: every answer was read after it was
 * asked for. Undefined where `load` returns no row; rejects with the error of the batch.
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
    const asked = waiting.get(key) ?? Promise.withResolvers<Row | undefined>();
    waiting.set(key, asked);
    schedule();
    return asked.promise;
  };
}
