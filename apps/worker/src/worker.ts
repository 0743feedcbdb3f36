import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Config } from "@clipmill/config";
import {
  createArtifactReader,
  createDatabase,
  createListener,
  createRefetch,
  createUpstreamStore,
  createWorkerRegistry,
  createWorkStore,
  RECORD_TABLES,
} from "@clipmill/db";
import type { Log, QueueName } from "@clipmill/domain";
import { createStages, fileProducers, pipelines } from "@clipmill/pipeline";
import { createEngines } from "@clipmill/providers";
import {
  createDispatcher,
  createErrorLog,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
  createWatchdog,
  createUpstreams,
  type Loop,
} from "@clipmill/queue";
import { createMedia } from "./media.ts";
import { createRefetchingStorage } from "./refetching-storage.ts";
import { requireProcessors } from "./require-processors.ts";
import { requireTables } from "./require-tables.ts";
import { createDispatchWindow } from "./window.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { startRetention } from "./retention.ts";
import { toUpstreamPolicies, withUpstreams } from "./upstream-policies.ts";

export interface Worker {
  /** Takes nothing new, ends or gives back what is under way, within 25 s. */
  close(): Promise<void>;
}

/** Whoever started us kills after 25 s or more; what has not ended by then is given back and costs no attempt. */
const STOP_WITHIN_MS = 20_000;

/** A hint that waits longer than this counts as lost; long enough for a full window of slow stages to drain. */
const QUEUED_FOR_MS = 60_000;

/** Wires one worker process: whatever of dispatching, reconciling and draining its roles ask for. */
export async function createWorker(config: Config, log: Log, leave: () => void): Promise<Worker> {
  const onError = createErrorLog(log, "connection error");
  const database = createDatabase({
    url: config.DATABASE_URL ?? "",
    poolSize: config.DATABASE_POOL,
    name: "clipmill-worker",
    onError,
  });
  const listener = createListener({ url: database.url, onError });
  const backend = createQueueBackend({
    redisUrl: config.REDIS_URL,
    databaseUrl: database.url,
    prefix: config.QUEUE_PREFIX,
    onError,
  });
  const hints = createHints(backend);
  const workerId = `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`;
  const concurrency: Record<QueueName, number> = {
    io: config.IO_CONCURRENCY,
    gpu: config.GPU_CONCURRENCY,
    cpu: config.CPU_CONCURRENCY,
    llm: config.LLM_CONCURRENCY,
  };
  const registry = createWorkerRegistry(database);
  const window = await createDispatchWindow(registry, concurrency, log);
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: config.LEASE_MS,
    queuedForMs: QUEUED_FOR_MS,
    window: window.size,
  });
  const loops: Loop[] = [];
  const has = (role: Config["CLIPMILL_ROLES"][number]) => config.CLIPMILL_ROLES.includes(role);

  if (has("work")) loops.push(await startWork());
  if (has("reconcile")) {
    loops.push(createReconciler({ work, hints, log }), await startRetention(config, database, log));
  }
  if (has("dispatch")) {
    const nextReady = (queue: QueueName, ms: number) => listener.next("clipmill_ready", queue, ms);
    loops.push(createDispatcher({ work, hints, nextReady, window: window.size, log }));
  }

  async function startWork(): Promise<Loop> {
    const engines = await createEngines(config);
    // Sources are asked by jobs, which there are none of before the limiters exist.
    const media = await createMedia(config, (source, forMs) => upstreams.holdOff(source, forMs));
    const ids = [...engines.asr, ...engines.ocr, ...engines.llm, ...media.sources].map(
      (engine) => engine.id,
    );
    const upstreams = createUpstreams({
      policies: toUpstreamPolicies(config, ids),
      store: createUpstreamStore(database),
      workerId,
      log,
    });
    const stages = createStages({
      ...engines,
      ...withUpstreams(media, upstreams),
      storage: createRefetchingStorage(media.storage, {
        refetch: createRefetch(database, { producers: fileProducers }),
        log,
      }),
      artifacts: createArtifactReader(database),
    });
    requireProcessors(pipelines.stages, stages);
    requireTables(stages, RECORD_TABLES);
    const slots = new Map(
      config.CLIPMILL_QUEUES.map((queue) => [queue, createSlots(concurrency[queue])]),
    );
    const runner = createRunner({
      hints,
      route: { slots, next: pipelines.next },
      stages,
      work,
      ledger: work,
      upstreams,
      workerId,
      leaseMs: config.LEASE_MS,
      log,
    });
    const queueWorkers = [...slots].map(([queue, ofQueue]) =>
      createQueueWorker({ backend, queue, slots: ofQueue, runner, log }),
    );
    const slotCounts = Object.fromEntries(
      config.CLIPMILL_QUEUES.map((queue) => [queue, concurrency[queue]]),
    );
    const reporting = await startHeartbeat(
      registry,
      { id: workerId, queues: config.CLIPMILL_QUEUES, engines: ids, slots: slotCounts },
      log,
    );
    const watchdog = createWatchdog({ queues: queueWorkers, hints, log, leave });
    return {
      async close() {
        watchdog.close();
        const drained = Promise.all([
          ...queueWorkers.map((worker) => worker.close()),
          runner.drain(),
        ]);
        const timer = setTimeout(() => runner.releaseAll(), STOP_WITHIN_MS);
        await drained;
        clearTimeout(timer);
        await runner.close();
        await upstreams.close();
        await reporting.close();
        await media.close();
      },
    };
  }

  return {
    async close() {
      await Promise.all(loops.map((loop) => loop.close()));
      window.close();
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
    },
  };
}
