import type { WorkStore } from "@clipmill/domain";
import { type Database, withTransaction } from "../../database.ts";
import type { Planning } from "../plan/planning.ts";
import { reconcileJobs, requeueAll } from "./reconcile.ts";
import { replanStranded } from "./stranded.ts";

/** The methods that the reconciler calls. */
export function createRecovery(
  pool: Database["pool"],
  planning: Planning,
): Pick<WorkStore, "reconcile" | "requeueAll" | "replanStranded"> {
  let strandedAfterId = "";
  return {
    reconcile: ({ spareLeases = false } = {}) =>
      withTransaction(pool, (tx) => reconcileJobs(tx, planning, { spareLeases })),
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
