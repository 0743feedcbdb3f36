import type { WaitingLimits, WorkStore } from "@clipmill/domain";
import { type Database, withTransaction } from "../../database.ts";
import type { Planning } from "../plan/planning.ts";
import { failOverdue } from "./fail-overdue.ts";
import { reconcileJobs, requeueAll } from "./reconcile.ts";
import { replanStranded } from "./stranded.ts";

/** The methods that the reconciler calls. */
export function createRecovery(
  pool: Database["pool"],
  planning: Planning,
  waitingLimits: WaitingLimits,
): Pick<WorkStore, "reconcile" | "requeueAll" | "replanStranded" | "failOverdue"> {
  let strandedAfterId = "";
  return {
    reconcile: ({ spareLeases = false } = {}) =>
      withTransaction(pool, (tx) => reconcileJobs(tx, planning, { spareLeases })),
    failOverdue: () => withTransaction(pool, (tx) => failOverdue(tx, planning, waitingLimits)),
    requeueAll: () => requeueAll(pool),
    async replanStranded() {
      const { nextAfterId, ...stranded } = await withTransaction(pool, (tx) =>
        replanStranded(tx, planning, strandedAfterId),
      );
      strandedAfterId = nextAfterId;
      return stranded;
    },
  };
}
