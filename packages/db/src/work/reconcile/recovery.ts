import type { WaitingLimits, WorkStore } from "@clipmill/domain";
import { type Database, toOutage, withTransaction } from "../../database.ts";
import { inPages, isolate, throwFirst } from "../isolate.ts";
import { advanceById } from "../plan/advance-attached.ts";
import { advanceRest, takeRestPage } from "../plan/advance-rest.ts";
import type { Planning } from "../plan/planning.ts";
import { failOverdue } from "./fail-overdue.ts";
import { reconcileJobs, requeueAll } from "./reconcile.ts";
import { findStranded, replan } from "./stranded.ts";

/** The methods that the reconciler calls. */
export function createRecovery(
  pool: Database["pool"],
  planning: Planning,
  waitingLimits: WaitingLimits,
): Pick<WorkStore, "reconcile" | "requeueAll" | "replanStranded" | "failOverdue"> {
  let strandedAfterId = "";
  return {
    async reconcile({ spareLeases = false } = {}) {
      const counts = await reconcileJobs(pool, planning, { spareLeases });
      const advanced = await advancePages(pool, planning);
      return advanced === 0 ? counts : { ...counts, advanced };
    },
    failOverdue: () => withTransaction(pool, (tx) => failOverdue(tx, planning, waitingLimits)),
    requeueAll: () => requeueAll(pool),
    async replanStranded() {
      const { ids, nextAfterId } = await findStranded(pool, strandedAfterId);
      strandedAfterId = nextAfterId;
      const { results, failures } = await isolate(pool, ids, (tx, some) =>
        replan(tx, planning, some),
      );
      // If a part of them was planned, say which: the others come up again in the next round.
      if (results.length === 0) throwFirst(failures);
      return {
        replanned: results.flatMap(({ replanned }) => replanned),
        left: results.flatMap(({ left }) => left),
      };
    },
  };
}

/** Plans requests whose job has ended: see `advanceAttached`. Returns how many. */
async function advancePages(pool: Database["pool"], planning: Planning): Promise<number> {
  let count = 0;
  await inPages(async () => {
    const advanced = await advanceNextPage(pool, planning);
    count += advanced ?? 0;
    return advanced !== null;
  });
  return count;
}

/** Plans one page. A request that cannot be planned is left to `replanStranded`, and stops no other one. */
async function advanceNextPage(pool: Database["pool"], planning: Planning): Promise<number | null> {
  try {
    return await withTransaction(pool, (tx) => advanceRest(tx, planning));
  } catch (error) {
    if (toOutage(error) !== null) throw error;
  }
  const page = await withTransaction(pool, (tx) => takeRestPage(tx, planning));
  if (page === null) return null;
  const ids = page.map(({ id }) => id);
  const { results } = await isolate(pool, ids, async (tx, some) => {
    await advanceById(tx, planning, some);
    return some.length;
  });
  return results.reduce((sum, count) => sum + count, 0);
}
