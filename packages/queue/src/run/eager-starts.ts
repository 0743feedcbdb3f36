import type { EagerStart, ClaimedJob, QueueName, RunnableStage } from "@clipmill/domain";
import type { Slots } from "./slots.ts";

/** What carrying on needs to know. */
export interface Route {
  /** Of the queues that this process drains. */
  slots: ReadonlyMap<QueueName, Slots>;
  /** Names of the stages that may follow a stage at once. */
  next(stage: string): readonly string[];
}

/**
 * Lets the next step of a job run where the step before it has just ended, without a hint, a claim and a row version
 * of its own: with stages that take milliseconds these cost more than the work. Only where this process drains the
 * next queue, has a slot of it, and knows the stage to be quick: a longer one goes to whichever worker is free first.
 */
export interface EagerStarts {
  /** A result of this stage is about to be stored; call what is returned when it is. */
  expect(stage: string): () => void;
  /** Takes slots for what may follow on results of these stages. Null: nothing can be carried on now. */
  reserve(endedStages: readonly string[]): EagerStart | null;
  /** Runs what was claimed under a reservation, and gives back what that has left. */
  start(reserved: EagerStart, jobs: readonly ClaimedJob[]): void;
  /**
   * How long a stage took here. `hasResult`, default true: without one it would have taken so long at least, so a paused
   * upstream, which refuses in no time, makes no stage quick.
   */
  note(stage: string, durationMs: number, hasResult?: boolean): void;
  /** Reserves nothing any more; resolves when all that was carried on has ended. */
  close(): Promise<void>;
}

/** Of a stage's mean time. A hint may wait in this process for a slot that a carried job has. */
const QUICK_MS = 1_000;
/** Weight of the latest run in the mean. */
const LATEST = 1 / 8;

/** For a process that carries nothing on. */
export const NO_ROUTE: Route = { slots: new Map(), next: () => [] };

export function createEagerStarts(deps: {
  stages: ReadonlyMap<string, RunnableStage>;
  route: Route;
  workerId: string;
  run(job: ClaimedJob): Promise<unknown>;
}): EagerStarts {
  const { stages, workerId, run } = deps;
  const { slots, next } = deps.route;
  const meanMs = new Map<string, number>();
  const idle = Promise.withResolvers<void>();
  let underWay = 0;
  let isClosing = false;

  /** The queue whose slots may carry on what follows a stage; null: none of this process. */
  function findQueue(endedStage: string): QueueName | null {
    if (isClosing) return null;
    for (const name of next(endedStage)) {
      const queue = stages.get(name)?.queue;
      if (queue !== undefined && slots.has(queue) && isQuick(name)) return queue;
    }
    return null;
  }

  function isQuick(stage: string): boolean {
    return (meanMs.get(stage) ?? QUICK_MS) < QUICK_MS;
  }

  function leave(queue: QueueName, count: number): void {
    slots.get(queue)?.leaveEager(count);
    underWay -= count;
    if (isClosing && underWay === 0) idle.resolve();
  }

  async function runOne(queue: QueueName, job: ClaimedJob): Promise<void> {
    try {
      await run(job);
    } finally {
      leave(queue, 1);
    }
  }

  return {
    expect(stage) {
      const queue = findQueue(stage);
      const ofQueue = queue === null ? undefined : slots.get(queue);
      ofQueue?.expectEager(1);
      return () => ofQueue?.expectEager(-1);
    },

    reserve(endedStages) {
      const reserved: Partial<Record<QueueName, number>> = {};
      for (const [queue, ended] of Map.groupBy(endedStages, findQueue)) {
        const taken = queue === null ? 0 : (slots.get(queue)?.takeEager(ended.length) ?? 0);
        if (queue === null || taken === 0) continue;
        reserved[queue] = taken;
        underWay += taken;
      }
      if (Object.keys(reserved).length === 0) return null;
      return { workerId, stages: [...stages.keys()].filter(isQuick), slots: reserved };
    },

    start(reserved, jobs) {
      const left = new Map(Object.entries(reserved.slots) as [QueueName, number][]);
      const used = new Set<QueueName>();
      for (const job of jobs) {
        const queue = stages.get(job.stage)?.queue;
        if (queue === undefined) throw new Error(`${job.stage} was not among the stages named`);
        left.set(queue, (left.get(queue) ?? 0) - 1);
        used.add(queue);
        void runOne(queue, job);
      }
      for (const [queue, count] of left) {
        // Nothing: work waits in Postgres, most likely, and all slots are for its hints until there is a free one again.
        slots.get(queue)?.keepExpected(used.has(queue));
        leave(queue, count);
      }
    },

    note(stage, durationMs, hasResult = true) {
      if (!hasResult && durationMs < (meanMs.get(stage) ?? Number.POSITIVE_INFINITY)) return;
      const before = meanMs.get(stage) ?? durationMs;
      meanMs.set(stage, before + (durationMs - before) * LATEST);
    },

    close() {
      isClosing = true;
      if (underWay === 0) idle.resolve();
      return idle.promise;
    },
  };
}
