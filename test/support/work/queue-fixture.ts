import { createDatabase, createListener, createWorkStore, type Database } from "@clipmill/db";
import type { RunnableStage, WorkStore } from "@clipmill/domain";
import {
  createDispatcher,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
  type Hints,
  type QueueBackend,
  type Runner,
} from "@clipmill/queue";
import { createTestDatabase } from "../servers/database.ts";
import {
  createToyStages,
  newPostId,
  silentLog,
  toyPipelines,
  type ToyRun,
} from "./toy-pipeline.ts";

const WINDOW = { io: 50, gpu: 10, cpu: 10, llm: 50 };

export interface QueueStartOptions {
  run?: ToyRun;
  /** Default 30 s. */
  leaseMs?: number;
  /** Looks for lost hints ten times a second. Default false. */
  reconcile?: boolean;
  /** Default: the toy stages, which do `run`. */
  stages?: RunnableStage[];
}

/** A queue and a database of its own; nothing works on them before `start`. */
export interface QueueFixture extends AsyncDisposable {
  database: Database;
  backend: QueueBackend;
  hints: Hints;
  /** Dispatches and runs the toy pipeline, with one slot for `gpu` and ten for `io` and `llm`. */
  start(options?: QueueStartOptions): { work: WorkStore; runner: Runner };
  /** The requests in this state. */
  requests(state: string): Promise<{ id: string }[]>;
  /** Is called before the queue is closed, the last one first. */
  onClose(close: () => Promise<unknown>): void;
}

/** `redisUrl` null: BullMQ runs on Postgres. */
export async function openQueueFixture(redisUrl: string | null): Promise<QueueFixture> {
  const testDatabase = await createTestDatabase();
  const { url } = testDatabase;
  const onError = () => {};
  const database = createDatabase({ url, poolSize: 8, name: "test", onError });
  const listener = createListener({ url, onError });
  const backend = createQueueBackend({
    redisUrl: redisUrl ?? undefined,
    databaseUrl: url,
    prefix: `test-${newPostId()}`,
    onError,
  });
  const hints = createHints(backend);
  const closers: (() => Promise<unknown>)[] = [];

  function start(options: QueueStartOptions = {}) {
    const { leaseMs = 30_000, stages = createToyStages(options.run) } = options;
    const work = createWorkStore(database, {
      pipelines: toyPipelines,
      leaseMs,
      queuedForMs: 60_000,
      window: WINDOW,
    });
    const slots = new Map(
      (["io", "gpu", "llm"] as const).map((queue) => [
        queue,
        createSlots(queue === "gpu" ? 1 : 10),
      ]),
    );
    const runner = createRunner({
      hints,
      route: { slots, next: toyPipelines.next },
      stages,
      work,
      ledger: work,
      workerId: "test",
      leaseMs,
      log: silentLog,
      random: () => 0,
    });
    const workers = [...slots].map(([queue, ofQueue]) =>
      createQueueWorker({ backend, queue, slots: ofQueue, runner, log: silentLog }),
    );
    const nextReady = (queue: string, ms: number) => listener.next("clipmill_ready", queue, ms);
    const dispatcher = createDispatcher({ work, hints, nextReady, window: WINDOW, log: silentLog });
    closers.push(async () => {
      await dispatcher.close();
      await Promise.all(workers.map((worker) => worker.close()));
      await runner.close();
    });
    if (options.reconcile === true) {
      const reconciler = createReconciler({ work, hints, intervalMs: 100, log: silentLog });
      closers.push(() => reconciler.close());
    }
    return { work, runner };
  }

  return {
    database,
    backend,
    hints,
    start,
    async requests(state) {
      const { rows } = await database.pool.query<{ id: string }>(
        "select id from request where state = $1",
        [state],
      );
      return rows;
    },
    onClose: (close) => void closers.push(close),
    async [Symbol.asyncDispose]() {
      for (const close of closers.splice(0).toReversed()) await close();
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
      await testDatabase.drop();
    },
  };
}
