import { createDatabase, createListener, createWorkStore } from "@clipmill/db";
import type { QueueName } from "@clipmill/domain";
import {
  createDispatcher,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
} from "@clipmill/queue";
import { createToyStages, toyPipelines, silentLog } from "../../support/work/toy-pipeline.ts";

/** One worker with all roles, as `clipmill up` starts it, around stages that only take time. */
export interface TimedWorkerArgs {
  databaseUrl: string;
  redisUrl: string;
  /** Of the queues in Redis: fleets that take turns do not get each other's hints. */
  prefix: string;
  stageMs: Record<"first" | "second" | "third", number>;
  slots: Record<"io" | "gpu" | "llm", number>;
  /** Hints in all queues together are for this many workers. */
  workerCount: number;
}

/** When this worker's GPU was at work, in ms of the system's clock; the last runs may end after now. */
export interface GpuReport {
  type: "gpu";
  runs: { from: number; to: number }[];
}

/** As the real worker has it. */
const WINDOW_PER_SLOT = 3;
const LEASE_MS = 30_000;

const args = JSON.parse(process.argv[2] ?? "{}") as TimedWorkerArgs;
const { databaseUrl, redisUrl, prefix, slots, stageMs, workerCount } = args;
const onError = (error: Error) => process.stderr.write(`${error.message}\n`);
const log = {
  ...silentLog,
  error: (fields: Record<string, unknown>, message: string) =>
    process.stderr.write(`${message} ${String(fields["err"])}\n`),
};
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const runs: GpuReport["runs"] = [];
let freeAt = 0;
/**
 * There is one GPU: who comes while it is at work waits, as at a recognition server. It keeps its own time, so that a
 * timer of ours that is late makes it neither busier nor idler; only a GPU without a job stands still.
 */
function useGpu(): Promise<void> {
  const from = Math.max(Date.now(), freeAt);
  freeAt = from + stageMs.second;
  runs.push({ from, to: freeAt });
  return sleep(freeAt - Date.now());
}

const stages = createToyStages(async (name, postId) => {
  if (name === "second") await useGpu();
  else await sleep(name === "first" ? stageMs.first : stageMs.third);
  return { output: { postId } };
});
const database = createDatabase({ url: databaseUrl, poolSize: 8, name: "bench", onError });
const listener = createListener({ url: databaseUrl, onError });
const backend = createQueueBackend({ redisUrl, databaseUrl, prefix, onError });
const hints = createHints(backend);
const toWindow = (count: number) => count * WINDOW_PER_SLOT * workerCount;
const window = {
  io: toWindow(slots.io),
  gpu: toWindow(slots.gpu),
  cpu: 1,
  llm: toWindow(slots.llm),
};
const work = createWorkStore(database, {
  pipelines: toyPipelines,
  leaseMs: LEASE_MS,
  queuedForMs: 60_000,
  window,
});
const workerId = `bench-${process.pid}`;
const slotsOf = new Map(
  (["io", "gpu", "llm"] as const).map((queue) => [queue, createSlots(slots[queue])]),
);
const runner = createRunner({
  hints,
  route: { slots: slotsOf, next: toyPipelines.next },
  stages,
  work,
  ledger: work,
  workerId,
  leaseMs: LEASE_MS,
  log,
});
const workers = [...slotsOf].map(([queue, ofQueue]) =>
  createQueueWorker({ backend, queue, slots: ofQueue, runner, log }),
);
const nextReady = (queue: QueueName, ms: number) => listener.next("clipmill_ready", queue, ms);
const loops = [
  createDispatcher({ work, hints, nextReady, window, log }),
  createReconciler({ work, hints, log }),
];

process.on("message", () => process.send?.({ type: "gpu", runs } satisfies GpuReport));
// Nobody is left to stop us.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  void (async () => {
    await Promise.all(loops.map((loop) => loop.close()));
    runner.releaseAll();
    await Promise.all(workers.map((worker) => worker.close()));
    await runner.close();
    await hints.close();
    await backend.close();
    await listener.close();
    await database.close();
    process.exit(0);
  })();
});
process.send?.({ type: "ready" });
