import type { WorkStore } from "@clipmill/domain";
import { type Database, withTransaction } from "../../database.ts";
import { CANCELLED, endNextChildren, endRequestsEarly, expireDeadlines } from "./end-early.ts";

/** 4,000 children: more than most requests have, and a second at most. */
const CHILD_PAGES_AT_ONCE = 8;

/** The methods that end requests before their jobs have ended. */
export function createEnding(
  pool: Database["pool"],
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
    expireDeadlines: () => withTransaction(pool, expireDeadlines),
    endChildren,
  };
}
