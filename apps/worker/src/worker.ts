import { type Config, toWaitingLimits } from "@clipmill/config";
import { createWorkerRegistry, createWorkStore } from "@clipmill/db";
import type { Log, QueueName } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import {
  createDispatcher,
  createOverdueLoop,
  createReconciler,
  createRunAhead,
  type Loop,
  type WorkTally,
} from "@clipmill/queue";
import { openConnections } from "./connections.ts";
import { startDispatchReport } from "./dispatch/dispatch-report.ts";
import { startRetention } from "./retention.ts";
import { createDispatchWindow } from "./dispatch/window.ts";
import { startWorkRole, type WorkRole } from "./work-role.ts";

export interface Worker {
  /** Takes nothing new, ends or gives back what is under way, within 25 s. */
  close(): Promise<void>;
  /** See `WorkRole.abandon`. */
  abandon(): Promise<void>;
  /** Jobs under way, and what became of those before. */
  counts(): { running: number } & Readonly<WorkTally>;
}

const NO_WORK: WorkTally = { ended: 0, givenBack: 0, lost: 0 };

/** A hint that waits longer than this counts as lost; long enough for a full window of slow stages to drain. */
const QUEUED_FOR_MS = 60_000;

/** Downloads make files, and those are used up by what decodes and what recognises. */
const FEEDS = { io: ["cpu", "gpu"] } as const;

/**
 * Jobs of the queue `cpu` for each ffmpeg or OCR program that may run at once, and in all: clips that wait together share
 * an ffmpeg, and what waits for a turn costs next to nothing.
 */
const CPU_JOBS_PER_PROGRAM = 8;
const MIN_CPU_JOBS = 16;

/**
 * Wires one worker process: whatever of dispatching, reconciling and draining its roles ask for. It calls `leave` when
 * it is of no use any more, and is to be closed then.
 */
export async function createWorker(config: Config, log: Log, leave: () => void): Promise<Worker> {
  const connections = openConnections(config, log);
  const { database, listener, hints } = connections;
  const concurrency = toConcurrency(config);
  const registry = createWorkerRegistry(database);
  const window = await createDispatchWindow(registry, concurrency, log);
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: config.LEASE_MS,
    queuedForMs: QUEUED_FOR_MS,
    window: window.size,
    waitingLimits: toWaitingLimits(config),
  });
  const loops: Loop[] = [];
  const has = (role: Config["CLIPMILL_ROLES"][number]) => config.CLIPMILL_ROLES.includes(role);

  let role: WorkRole | null = null;
  if (has("work")) {
    role = await startWorkRole({ config, connections, work, concurrency, log, leave });
    loops.push(role);
  }
  if (has("reconcile")) {
    loops.push(createReconciler({ work, hints, log }), createOverdueLoop({ work, log }));
    loops.push(await startRetention(config, database, log));
  }
  if (has("dispatch")) {
    const nextReady = (queue: QueueName, ms: number) => listener.next("clipmill_ready", queue, ms);
    loops.push(startDispatchReport(registry, hints, log));
    const runAhead = createRunAhead({ work, feeds: FEEDS, ahead: window.ahead });
    loops.push(createDispatcher({ work, hints, nextReady, window: window.size, runAhead, log }));
  }

  return {
    counts: () => ({ running: role?.count() ?? 0, ...(role?.tally() ?? NO_WORK) }),
    abandon: async () => role?.abandon(),
    async close() {
      await Promise.all(loops.map((loop) => loop.close()));
      window.close();
      await connections.close();
    },
  };
}

function toConcurrency(config: Config): Record<QueueName, number> {
  return {
    io: config.IO_CONCURRENCY,
    gpu: config.GPU_CONCURRENCY,
    cpu: Math.max(MIN_CPU_JOBS, CPU_JOBS_PER_PROGRAM * config.CPU_CONCURRENCY),
    llm: config.LLM_CONCURRENCY,
  };
}
