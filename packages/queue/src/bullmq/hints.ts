import { failpoint, type DispatchedJob, QUEUE_NAMES, type QueueName } from "@clipmill/domain";
import type { HintQueue, QueueBackend } from "./backend.ts";

/** The queues as the dispatcher sees them: a place for hints that may be wiped at any instant. */
export interface Hints {
  push(queue: QueueName, jobs: readonly DispatchedJob[]): Promise<void>;
  /**
   * False when the queue has lost its memory since the last call, by this process or another; it is marked again.
   * The mark is a job of its own, so that it is wiped exactly when the hints are.
   */
  isIntact(): Promise<boolean>;
  /** Hints that nobody has taken yet. */
  countWaiting(queue: QueueName): Promise<number>;
  /** For the dashboard. */
  readonly queues: readonly HintQueue[];
  close(): Promise<void>;
}

/** BullMQ serves jobs without a priority first, then lower numbers; among equals, first come first served. */
function toPriority({ lane, underShare, shareDue }: DispatchedJob): number | undefined {
  if (lane === "interactive") return underShare ? undefined : 1;
  if (shareDue) return 1;
  return underShare ? 2 : 3;
}

const GENERATION_QUEUE = "generation";
const GENERATION_JOB = "generation-mark";

export function createHints(backend: QueueBackend): Hints {
  const queues = new Map(QUEUE_NAMES.map((name) => [name, backend.createQueue(name)]));
  const generation = backend.createQueue(GENERATION_QUEUE);

  return {
    queues: [...queues.values()],

    async push(queue, jobs) {
      const target = queues.get(queue);
      if (target === undefined) throw new Error(`no queue ${queue}`);
      await target.addBulk(
        jobs.map((job) => {
          const { id, epoch, stage } = job;
          const priority = toPriority(job);
          // The epoch makes each dispatch a new job: BullMQ silently drops an id that it still knows.
          const jobId = `${stage}-${id}-e${epoch}`;
          return {
            name: stage,
            data: { id, epoch },
            opts: priority === undefined ? { jobId } : { jobId, priority },
          };
        }),
      );
      failpoint("after-push", queue);
    },

    async countWaiting(queue) {
      const counts = await queues.get(queue)?.getJobCounts("waiting", "prioritized");
      return Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
    },

    async isIntact() {
      const mark = await generation.getJob(GENERATION_JOB);
      if (mark !== undefined) return true;
      await generation.add(GENERATION_JOB, { id: 0, epoch: 0 }, { jobId: GENERATION_JOB });
      return false;
    },

    async close() {
      await Promise.all([...queues.values(), generation].map((queue) => queue.close()));
    },
  };
}
