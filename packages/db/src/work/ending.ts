import type { WorkStore } from "@clipmill/domain";
import { type Database, withTransaction } from "../database.ts";
import { CANCELLED, endNextChildren, endRequestsEarly, expireDeadlines } from "./end-early.ts";

/** Some thousand children: more than most have, and a second at most. */
const CHILD_PAGES_AT_ONCE = 8;

/** How requests end before their work does. */
export function createEnding(
  pool: Database["pool"],
): Pick<WorkStore, "cancel" | "expireDeadlines" | "endChildren"> {
  /** In pages, a transaction each, until none is left or so many are done. */
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
      // What of their children is left after this is the reconciler's.
      if (ended.length > 0) await endChildren();
      return ended;
    },
    expireDeadlines: () => withTransaction(pool, expireDeadlines),
    endChildren,
  };
}
