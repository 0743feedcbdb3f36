import type { WorkStore } from "@clipmill/domain";
import { type Database, type Queryable, withTransaction } from "../../database.ts";
import { inPages, isolate, throwFirst } from "../isolate.ts";
import {
  CANCELLED,
  dropLate,
  endNextChildren,
  endRequestsEarly,
  findCappedJobs,
  findLateJobs,
  findMissedDeadlines,
  type Late,
  missDeadlines,
  placeAnew,
} from "./end-early.ts";

/** 4,000 children: more than most requests have, and a second at most. */
const CHILD_PAGES_AT_ONCE = 8;

type Pool = Database["pool"];

/** The methods that end requests before their jobs have ended. */
export function createEnding(
  pool: Pool,
): Pick<WorkStore, "cancel" | "expireDeadlines" | "endChildren"> {
  /** One transaction a page, until no parent is left or `CHILD_PAGES_AT_ONCE` pages are done. */
  async function endChildren(): Promise<number> {
    let count = 0;
    for (let page = 0; page < CHILD_PAGES_AT_ONCE; page++) {
      const ended = await withTransaction(pool, endNextChildren);
      if (ended === null) break;
      count += ended;
    }
    return count;
  }

  return {
    async cancel(requestIds) {
      const ended = await withTransaction(pool, (tx) =>
        endRequestsEarly(tx, requestIds, CANCELLED),
      );
      // The reconciler ends the children that are left after this.
      if (ended.length > 0) await endChildren();
      return ended;
    },
    async expireDeadlines() {
      const missed = await endLate(pool, findMissedDeadlines, missDeadlines);
      const late = await endLate(pool, findLateJobs, dropLate);
      const capped = await isolate(pool, await findCappedJobs(pool), placeAnew);
      throwFirst([...missed.failures, ...late.failures, ...capped.failures]);
      return missed.results.reduce((sum, count) => sum + count, 0);
    },
    endChildren,
  };
}

/** Page by page, each in its own transaction. A row that cannot be changed stops only itself. */
async function endLate<Result>(
  pool: Pool,
  find: (tx: Queryable, after?: Late) => Promise<Late[]>,
  end: (tx: Queryable, ids: readonly string[]) => Promise<Result>,
): Promise<{ results: Result[]; failures: unknown[] }> {
  const all: { results: Result[]; failures: unknown[] } = { results: [], failures: [] };
  let after: Late | undefined;
  await inPages(async () => {
    const page = await find(pool, after);
    after = page.at(-1);
    const ids = page.map(({ id }) => id);
    const { results, failures } = await isolate(pool, ids, (tx, some) => end(tx, some));
    all.results.push(...results);
    all.failures.push(...failures);
    return after !== undefined;
  });
  return all;
}
