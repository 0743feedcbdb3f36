import type { DispatchedJob, Log, QueueName, WorkStore } from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import { createErrorLog } from "../throttled-log.ts";

/** Delivers the hints of jobs that are queued in Postgres. A job whose hint cannot be delivered is ready again. */
export interface Delivery {
  /** Returns at once: nobody waits for a hint. */
  push(jobs: readonly DispatchedJob[]): void;
  /** Resolves when no delivery is under way. */
  idle(): Promise<void>;
}

export function createDelivery(deps: {
  work: Pick<WorkStore, "return">;
  hints: Pick<Hints, "push">;
  log: Log;
}): Delivery {
  const { work, hints } = deps;
  const report = createErrorLog(deps.log, "hints not delivered");
  const underWay = new Set<Promise<void>>();

  async function deliver(queue: QueueName, jobs: readonly DispatchedJob[]): Promise<void> {
    try {
      await hints.push(queue, jobs);
    } catch (error) {
      report(error);
      // If this fails too, the time of the hints runs out and the reconciler makes the jobs ready.
      await work.return(jobs).catch(report);
    }
  }

  return {
    push(jobs) {
      for (const [queue, group] of Map.groupBy(jobs, (job) => job.queue)) {
        const delivered = deliver(queue, group).finally(() => underWay.delete(delivered));
        underWay.add(delivered);
      }
    },
    async idle() {
      await Promise.all(underWay);
    },
  };
}
