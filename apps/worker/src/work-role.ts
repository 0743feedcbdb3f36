import { setTimeout as wait } from "node:timers/promises";
import type { Config } from "@clipmill/config";
import {
  createArtifactReader,
  createRefetch,
  createUpstreamStore,
  createWorkerRegistry,
  RECORD_TABLES,
} from "@clipmill/db";
import type { CallLedger, Log, QueueName, RunnableStage, WorkStore } from "@clipmill/domain";
import { createStages, fileProducers, pipelines } from "@clipmill/pipeline";
import { createEngines, createTurns, startLauncher } from "@clipmill/providers";
import {
  createCallTurns,
  createQueueWorker,
  createRunner,
  createSlots,
  createUpstreams,
  createWatchdog,
  type Loop,
  type QueueWorker,
  type Runner,
  type CallTurns,
  type WorkTally,
} from "@clipmill/queue";
import type { Connections } from "./connections.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createMedia } from "./media.ts";
import { createRefetchingStorage } from "./refetching-storage.ts";
import { requireProcessors } from "./require-processors.ts";
import { requireTables } from "./require-tables.ts";
import { toUpstreamPolicies, withUpstreams } from "./upstream-policies.ts";
import { withTurns } from "./with-turns.ts";

export interface WorkRoleOptions {
  config: Config;
  connections: Connections;
  work: WorkStore & CallLedger;
  /** Jobs at once, by queue. */
  concurrency: Readonly<Record<QueueName, number>>;
  log: Log;
  /** Ends the process, so that whoever started it starts it anew. */
  leave(): void;
}

/** Whoever started us kills after 25 s or more; what has not ended by then is given back and costs no attempt. */
const STOP_WITHIN_MS = 20_000;
const ABANDON_WITHIN_MS = 5_000;

/** Jobs of a queue with turns that run beside those whose call is under way: see `CallTurns`. */
const CLAIMED_AHEAD = 1;

export interface WorkRole extends Loop {
  /** Jobs under way. */
  count(): number;
  tally(): Readonly<WorkTally>;
  /**
   * For a process that crashed: one of its jobs may be the cause, so none is given back as if nothing were. What has
   * ended is stored, within 5 s; the others lose their lease, and that counts as a crash of each that ran alone.
   */
  abandon(): Promise<void>;
}

/** The role `work`: the stages with all that they reach, and a worker for each queue that this process drains. */
export async function startWorkRole(options: WorkRoleOptions): Promise<WorkRole> {
  const { config, connections, work, concurrency, log, leave } = options;
  const { workerId, backend, hints } = connections;
  const { stages, engineIds, upstreams, close } = await openStages(options);
  const turns = new Map<QueueName, CallTurns>([["gpu", createCallTurns(concurrency.gpu)]]);
  const slots = new Map(
    config.CLIPMILL_QUEUES.map((queue) => [
      queue,
      createSlots(concurrency[queue] + (turns.has(queue) ? CLAIMED_AHEAD : 0)),
    ]),
  );
  const route = { slots, next: pipelines.next };
  const { LEASE_MS: leaseMs } = config;
  const shared = { hints, work, workerId, leaseMs, log };
  const runner = createRunner({ ...shared, route, stages, ledger: work, upstreams, turns });
  const queueWorkers = [...slots].map(([queue, ofQueue]) =>
    createQueueWorker({ backend, queue, slots: ofQueue, turns: turns.get(queue), runner, log }),
  );
  const heartbeat = await startHeartbeat(
    createWorkerRegistry(connections.database),
    {
      id: workerId,
      queues: config.CLIPMILL_QUEUES,
      engines: engineIds,
      slots: Object.fromEntries(config.CLIPMILL_QUEUES.map((queue) => [queue, concurrency[queue]])),
    },
    log,
  );
  const watchdog = createWatchdog({ queues: queueWorkers, hints, log, leave });
  return {
    count: () => runner.count(),
    tally: () => runner.tally(),
    async abandon() {
      watchdog.close();
      await Promise.race([runner.stored(), wait(ABANDON_WITHIN_MS)]);
    },
    async close() {
      watchdog.close();
      await drain(queueWorkers, runner);
      await runner.close();
      await upstreams.close();
      await heartbeat.close();
      await close();
    },
  };
}

/** Takes nothing new, and waits for what is under way, but for so long only. */
async function drain(queueWorkers: readonly QueueWorker[], runner: Runner): Promise<void> {
  const drained = Promise.all([...queueWorkers.map((worker) => worker.close()), runner.drain()]);
  const timer = setTimeout(() => runner.releaseAll(), STOP_WITHIN_MS);
  await drained;
  clearTimeout(timer);
}

interface OpenStages {
  stages: RunnableStage[];
  /** Of all engines that work here. */
  engineIds: string[];
  upstreams: ReturnType<typeof createUpstreams>;
  close(): Promise<void>;
}

async function openStages({ config, connections, log }: WorkRoleOptions): Promise<OpenStages> {
  const { database, workerId } = connections;
  // Before the engines, which are looked for by starting their programs, and while this process is small.
  const launcher = startLauncher();
  const engines = await createEngines(config);
  const turns = createTurns(config.CPU_CONCURRENCY);
  // Sources are asked by jobs, which there are none of before the limiters exist.
  const onHoldOff = (source: string, forMs: number) => upstreams.holdOff(source, forMs);
  const media = await createMedia(config, turns, onHoldOff);
  const all = [...engines.asr, ...engines.ocr, ...engines.llm, ...media.sources];
  const engineIds = all.map(({ id }) => id);
  const policies = toUpstreamPolicies(config, engineIds);
  const store = createUpstreamStore(database);
  const upstreams = createUpstreams({ policies, store, workerId, log });
  const refetch = createRefetch(database, { producers: fileProducers });
  const stages = createStages({
    ...engines,
    ocr: engines.ocr.map((engine) => withTurns(engine, turns)),
    ...withUpstreams(media, upstreams),
    storage: createRefetchingStorage(media.storage, { refetch, log }),
    artifacts: createArtifactReader(database),
  });
  requireProcessors(pipelines.stages, stages);
  requireTables(stages, RECORD_TABLES);
  const close = async () => {
    await media.close();
    await launcher.close();
  };
  return { stages, engineIds, upstreams, close };
}
