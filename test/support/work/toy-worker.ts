import { createDatabase, createListener, createWorkStore } from "@clipmill/db";
import type { Log } from "@clipmill/domain";
import {
  createDispatcher,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
  type Hints,
} from "@clipmill/queue";
import { createToyStages, toyPipelines, silentLog, type ToyRun } from "./toy-pipeline.ts";

export interface ToyWorkerOptions {
  databaseUrl: string;
  /** Null: BullMQ runs on Postgres. */
  redisUrl: string | null;
  run?: ToyRun;
  /** Default 30 s. */
  leaseMs?: number;
  /** How long a hint may wait. Default 60 s. */
  queuedForMs?: number;
  /** Not set: nobody reconciles. */
  reconcileEveryMs?: number;
  log?: Log;
}

/** Everything between accept and done in this process, on the toy pipeline: eight slots a queue. */
export interface ToyWorker {
  hints: Hints;
  close(): Promise<void>;
}

const WINDOW = { io: 20, gpu: 20, cpu: 20, llm: 20 };
const CONCURRENCY = 8;

export function startToyWorker(options: ToyWorkerOptions): ToyWorker {
  const {
    databaseUrl,
    redisUrl,
    leaseMs = 30_000,
    queuedForMs = 60_000,
    log = silentLog,
  } = options;
  const onError = () => {};
  const database = createDatabase({ url: databaseUrl, poolSize: 8, name: "toy", onError });
  const listener = createListener({ url: databaseUrl, onError });
  const backend = createQueueBackend({
    redisUrl: redisUrl ?? undefined,
    databaseUrl,
    prefix: "toy",
    onError,
  });
  const hints = createHints(backend);
  const work = createWorkStore(database, { pipelines: toyPipelines, leaseMs, queuedForMs });
  const slots = new Map(
    (["io", "gpu", "llm"] as const).map((queue) => [queue, createSlots(CONCURRENCY)]),
  );
  const runner = createRunner({
    hints,
    route: { slots, next: toyPipelines.next },
    stages: createToyStages(options.run),
    work,
    ledger: work,
    workerId: "toy",
    leaseMs,
    log,
    random: () => 0,
  });
  const workers = [...slots].map(([queue, ofQueue]) =>
    createQueueWorker({ backend, queue, slots: ofQueue, runner, log }),
  );
  const dispatcher = createDispatcher({
    work,
    hints,
    nextReady: (queue, ms) => listener.next("clipmill_ready", queue, ms),
    window: WINDOW,
    log,
  });
  const reconciler =
    options.reconcileEveryMs === undefined
      ? null
      : createReconciler({ work, hints, intervalMs: options.reconcileEveryMs, log });
  return {
    hints,
    async close() {
      await reconciler?.close();
      await dispatcher.close();
      await Promise.all([...workers.map((worker) => worker.close()), runner.drain()]);
      await runner.close();
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
    },
  };
}
