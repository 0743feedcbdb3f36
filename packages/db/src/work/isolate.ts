import type pg from "pg";
import { toOutage, withTransaction } from "../database.ts";

export interface Isolated<Result> {
  /** What each transaction that was committed returned. */
  results: Result[];
  /** Why items failed that were alone in their transaction. */
  failures: unknown[];
}

/**
 * Runs `work` on all items in one transaction. If it fails for a reason that may lie in one of them, runs it on each
 * half, and so on: a bad row then stops only itself. Throws if Postgres does not answer, because that is no item's
 * fault.
 */
export async function isolate<Item, Result>(
  pool: pg.Pool,
  items: readonly Item[],
  work: (tx: pg.PoolClient, items: readonly Item[]) => Promise<Result>,
): Promise<Isolated<Result>> {
  if (items.length === 0) return { results: [], failures: [] };
  try {
    return { results: [await withTransaction(pool, (tx) => work(tx, items))], failures: [] };
  } catch (error) {
    if (toOutage(error) !== null) throw error;
    if (items.length === 1) return { results: [], failures: [error] };
  }
  const middle = Math.ceil(items.length / 2);
  const first = await isolate(pool, items.slice(0, middle), work);
  const second = await isolate(pool, items.slice(middle), work);
  return {
    results: [...first.results, ...second.results],
    failures: [...first.failures, ...second.failures],
  };
}

/** One round of the reconciler works on a long list for this long, so that its other parts get their turn. */
const ROUND_MS = 3_000;

/** Takes page after page until `takePage` returns false or the time of a round is over. */
export async function inPages(takePage: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + ROUND_MS;
  while ((await takePage()) && performance.now() < until);
}

/** Throws the first of these errors, for a caller that has given every item its turn. */
export function throwFirst(failures: readonly unknown[]): void {
  if (failures.length > 0) throw failures[0];
}
