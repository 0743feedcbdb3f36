import type { ClaimedJob, EagerStart, QueueName, RunnableStage } from "@clipmill/domain";
import type { Slots } from "../slots.ts";
import type { RunTimes } from "./run-times.ts";

/** What eager starts need to know of the pipeline and of this process. */
export interface Route {
  /** Of the queues that this process drains. */
  slots: ReadonlyMap<QueueName, Slots>;
  /** Names of the stages that may follow at once after a stage. */
  next(stage: string): readonly string[];
}

/**
 * An eager start: the next step of a post runs in the process where the step before it ended, claimed in the transaction
 * that stored that step's result, without a hint, a dispatch and a claim of its own. Only where this process drains the
 * next queue, has a free slot of it, and knows the stage to be quick; a longer one goes to whichever worker is free first.
 *
 * What it gains where all stages are quick: one hint a post instead of three, and 650 to 790 µs of CPU a post instead of
 * about 1,150 (`npm run bench -- overhead`, two cores).
 *
 * Whoever stores outcomes takes slots before it settles, returns those that no job started in, and calls `leave` when a
 * started job has ended.
 */
export interface EagerStarts {
  /** A result of this stage is about to be stored: keeps a slot for what may follow, until the returned function is called. */
  expect(stage: string): () => void;
  /** Takes slots for what may follow on results of these stages. Null: nothing can start eagerly now. */
  takeSlots(endedStages: readonly string[]): EagerStart | null;
  /** Gives back the slots that no job started in. Each job in `started` has one until `leave`. */
  returnUnused(taken: EagerStart, started: readonly ClaimedJob[]): void;
  /** A job that started eagerly has ended. */
  leave(job: ClaimedJob): void;
  /** Takes no slots any more; resolves when all that were taken are given back. */
  close(): Promise<void>;
}

/** For a process in which nothing starts eagerly. */
export const NO_ROUTE: Route = { slots: new Map(), next: () => [] };

interface EagerState {
  readonly stages: ReadonlyMap<string, RunnableStage>;
  readonly route: Route;
  readonly workerId: string;
  readonly runTimes: Pick<RunTimes, "isQuick">;
  /** Slots that are taken and not yet given back, over all queues. */
  takenCount: number;
  isClosing: boolean;
  /** Resolved once closing and no slot is taken. */
  readonly idle: PromiseWithResolvers<void>;
}

export function createEagerStarts(deps: {
  stages: ReadonlyMap<string, RunnableStage>;
  route: Route;
  workerId: string;
  runTimes: Pick<RunTimes, "isQuick">;
}): EagerStarts {
  const state: EagerState = {
    ...deps,
    takenCount: 0,
    isClosing: false,
    idle: Promise.withResolvers<void>(),
  };
  return {
    expect: (stage) => expectNext(state, stage),
    takeSlots: (endedStages) => takeSlots(state, endedStages),
    returnUnused: (taken, started) => returnUnused(state, taken, started),
    leave: (job) => giveBack(state, toQueue(state, job), 1),
    close() {
      state.isClosing = true;
      if (state.takenCount === 0) state.idle.resolve();
      return state.idle.promise;
    },
  };
}

/** The queue of this process in which what follows a stage may start eagerly; null: there is none. */
function findQueue({ stages, route, runTimes, isClosing }: EagerState, ended: string) {
  if (isClosing) return null;
  for (const name of route.next(ended)) {
    const queue = stages.get(name)?.queue;
    if (queue !== undefined && route.slots.has(queue) && runTimes.isQuick(name)) return queue;
  }
  return null;
}

function expectNext(state: EagerState, stage: string): () => void {
  const queue = findQueue(state, stage);
  const slots = queue === null ? undefined : state.route.slots.get(queue);
  slots?.expectEager(1);
  return () => slots?.expectEager(-1);
}

function takeSlots(state: EagerState, endedStages: readonly string[]): EagerStart | null {
  const { stages, route, workerId, runTimes } = state;
  const taken: Partial<Record<QueueName, number>> = {};
  for (const [queue, ended] of Map.groupBy(endedStages, (stage) => findQueue(state, stage))) {
    const count = queue === null ? 0 : (route.slots.get(queue)?.takeEager(ended.length) ?? 0);
    if (queue === null || count === 0) continue;
    taken[queue] = count;
    state.takenCount += count;
  }
  if (Object.keys(taken).length === 0) return null;
  return { workerId, stages: [...stages.keys()].filter(runTimes.isQuick), slots: taken };
}

function returnUnused(state: EagerState, taken: EagerStart, started: readonly ClaimedJob[]): void {
  const startedByQueue = Map.groupBy(started, (job) => toQueue(state, job));
  for (const [queue, count] of Object.entries(taken.slots) as [QueueName, number][]) {
    const usedCount = startedByQueue.get(queue)?.length ?? 0;
    // If nothing started, work probably waits in Postgres: until something does, hints may have all slots.
    state.route.slots.get(queue)?.keepExpected(usedCount > 0);
    giveBack(state, queue, count - usedCount);
  }
}

function toQueue({ stages }: EagerState, job: ClaimedJob): QueueName {
  const queue = stages.get(job.stage)?.queue;
  if (queue === undefined) throw new Error(`${job.stage} was not among the stages named`);
  return queue;
}

function giveBack(state: EagerState, queue: QueueName, count: number): void {
  state.route.slots.get(queue)?.leaveEager(count);
  state.takenCount -= count;
  if (state.isClosing && state.takenCount === 0) state.idle.resolve();
}
