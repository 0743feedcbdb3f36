import type { WorkStore } from "@clipmill/domain";
import type { FromProcess } from "./arguments.ts";

/** Tells the harness what the fence, eager starts and the reconciler did: a fault that reached nothing proves nothing. */
export function countFaults(work: WorkStore, tell: (message: FromProcess) => void): WorkStore {
  const tellReconciled = (count: number) => {
    if (count > 0) tell({ type: "reconciled", count });
  };
  return {
    ...work,
    async settle(outcomes, eagerStart) {
      const settled = await work.settle(outcomes, eagerStart);
      const results = new Set(outcomes.filter(({ kind }) => kind === "done").map(({ id }) => id));
      const count = settled.fenced.filter(({ id }) => results.has(id)).length;
      if (count > 0) tell({ type: "fenced", count });
      if (settled.started.length > 0) tell({ type: "eager", count: settled.started.length });
      return settled;
    },
    async reconcile(options) {
      const counts = await work.reconcile(options);
      tellReconciled(counts.requeued + counts.expired + counts.poisoned);
      return counts;
    },
    async replanStranded() {
      const stranded = await work.replanStranded();
      const ids = [...stranded.replanned, ...stranded.left];
      if (ids.length > 0) tell({ type: "replanned", ids });
      return stranded;
    },
    async requeueAll() {
      const count = await work.requeueAll();
      tellReconciled(count);
      return count;
    },
  };
}
