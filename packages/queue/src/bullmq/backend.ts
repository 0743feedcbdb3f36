import type { JobsOptions, Processor, Queue, Worker, WorkerOptions } from "bullmq";

/** A hint: which job to claim, and the epoch of its dispatch. Ids only; everything else is in Postgres. */
export interface Hint {
  id: number;
  epoch: number;
}

/** Of the column `epoch`. */
const EPOCH_MAX = 2 ** 31 - 1;

/**
 * A hint as it came out of the queue, or null for what is none. Whoever reaches the queue can write there: another
 * program, another version, somebody at the dashboard.
 */
export function parseHint(data: unknown): Hint | null {
  if (typeof data !== "object" || data === null) return null;
  const { id, epoch } = data as Readonly<Record<string, unknown>>;
  const isHint = isCount(id, Number.MAX_SAFE_INTEGER) && isCount(epoch, EPOCH_MAX);
  return isHint ? { id, epoch } : null;
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}

export type HintQueue = Queue<Hint, string, string>;
export type HintWorker = Worker<Hint, string, string>;
export type HintProcessor = Processor<Hint, string, string>;

/** As BullMQ adds it: with its name, its data, and options such as its id. */
export type NewHint = Parameters<HintQueue["addBulk"]>[0][number];

/** Where BullMQ keeps its jobs. Both kinds behave alike and pass one conformance test. */
export interface QueueBackend {
  readonly kind: "redis" | "postgres";
  createQueue(name: string): HintQueue;
  createWorker(
    name: string,
    processor: HintProcessor,
    options: { concurrency: number },
  ): HintWorker;
  /** Adds hints in their order. Where it throws, some may have been added. */
  add(queue: HintQueue, hints: readonly NewHint[]): Promise<void>;
  /** Throws what the server answers where a hint could not be written now. */
  checkWritable(): Promise<void>;
  close(): Promise<void>;
}

/** How many ended hints of a queue BullMQ keeps for the dashboard. Their ids carry the epoch, so they block no later hint. */
const KEPT = { count: 1_000 };
const LOCK_MS = 60_000;
/** A hint is ids; anything longer is a mistake. */
const HINT_MAX_BYTES = 4_096;

export const jobOptions: JobsOptions = {
  attempts: 1,
  removeOnComplete: KEPT,
  removeOnFail: KEPT,
  stackTraceLimit: 0,
  sizeLimit: HINT_MAX_BYTES,
};

export function toWorkerOptions(concurrency: number): Omit<WorkerOptions, "connection"> {
  return {
    concurrency,
    lockDuration: LOCK_MS,
    // A stalled hint that is delivered again does no harm: its epoch has passed or another worker runs the job, so it is stale.
    maxStalledCount: 1,
    removeOnComplete: KEPT,
    removeOnFail: KEPT,
  };
}
