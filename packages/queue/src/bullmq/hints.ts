import { failpoint, type DispatchedJob, QUEUE_NAMES, type QueueName } from "@clipmill/domain";
import type { HintQueue, QueueBackend } from "./backend.ts";

/** BullMQ's queues, as a place for hints that may be wiped at any instant. */
export interface Hints {
  push(queue: QueueName, jobs: readonly DispatchedJob[]): Promise<void>;
  /**
   * False when the queue was wiped since the last call of any process: the mark in it is gone, and is set again.
   * The mark is a job like the hints, so that it is wiped exactly when they are.
   */
  isIntact(): Promise<boolean>;
  /** Why hints do not reach the workers of the queue now, for a person; null if they do. */
  findTrouble(queue: QueueName): Promise<string | null>;
  /** Hints that no worker has taken yet. */
  countWaiting(queue: QueueName): Promise<number>;
  /** Whether somebody keeps workers from taking hints: the queue is paused, or has a limit of its own that holds now. */
  isHeldBack(queue: QueueName): Promise<boolean>;
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

function toHint(job: DispatchedJob) {
  const { id, epoch, stage } = job;
  const priority = toPriority(job);
  // The epoch makes each dispatch a new job: BullMQ silently drops an id that it still knows.
  const jobId = `${stage}-${id}-e${epoch}`;
  const opts = priority === undefined ? { jobId } : { jobId, priority };
  return { name: stage, data: { id, epoch }, opts };
}

const GENERATION_QUEUE = "generation";
const GENERATION_JOB = "generation-mark";

/** A server that has not answered in this time counts as one that does not. */
const ANSWER_WITHIN_MS = 1_500;

/** Null: the server does not answer. */
async function isPaused(queue: HintQueue | undefined): Promise<boolean | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ANSWER_WITHIN_MS, null);
  });
  try {
    return await Promise.race([queue?.isPaused() ?? false, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

export function createHints(backend: QueueBackend): Hints {
  const queues = new Map(QUEUE_NAMES.map((name) => [name, backend.createQueue(name)]));
  const generation = backend.createQueue(GENERATION_QUEUE);
  /** Queues into which the last push failed. */
  const refusing = new Set<QueueName>();

  return {
    queues: [...queues.values()],

    async push(queue, jobs) {
      const target = queues.get(queue);
      if (target === undefined) throw new Error(`no queue ${queue}`);
      try {
        await backend.add(target, jobs.map(toHint));
        refusing.delete(queue);
      } catch (error) {
        refusing.add(queue);
        throw error;
      }
      failpoint("after-push", queue);
    },

    async findTrouble(queue) {
      const server = backend.kind === "redis" ? "Redis" : "Postgres";
      const answer = await isPaused(queues.get(queue));
      if (answer === null) return `${server}, which the queue ${queue} runs on, does not answer`;
      if (answer) return `the queue ${queue} is paused: resume it in the dashboard`;
      return refusing.has(queue) ? `${server} takes no hints for the queue ${queue}` : null;
    },

    async countWaiting(queue) {
      const counts = await queues.get(queue)?.getJobCounts("waiting", "prioritized");
      return Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
    },

    async isHeldBack(queue) {
      const target = queues.get(queue);
      if (target === undefined) return false;
      if ((await target.isPaused()) || (await target.isMaxed())) return true;
      return (await target.getGlobalRateLimit()) !== null;
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
