import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { toyPipelines } from "../../support/work/toy-pipeline.ts";
import type { GpuReport, TimedWorkerArgs } from "../processes/timed-worker.ts";
import { type BenchProcess, startProcess } from "./child.ts";
import {
  type BenchServers,
  createBenchDatabase,
  dropBenchDatabase,
  flushRedis,
} from "./servers.ts";

/** I/O 2 s, GPU 8 s, LLM 4 s, all at a fortieth. */
export const STAGE_MS = { first: 50, second: 200, third: 100 };
export const SUM_OF_STAGES_MS = STAGE_MS.first + STAGE_MS.second + STAGE_MS.third;
export type Slots = Record<"io" | "gpu" | "llm", number>;

/**
 * Of one worker. I/O has room for four times what the GPU takes; more would only pile up before it, at the cost of this
 * machine's CPU.
 */
export const SLOTS: Slots = { io: 1, gpu: 1, llm: 2 };
/**
 * A second job is claimed and waits at the GPU, which still does one at a time: it never waits for the queue, which takes
 * five milliseconds, nothing beside the 8 s of a real stage but 2.5 % of a fortieth.
 */
export const PREFETCHING_SLOTS: Slots = { ...SLOTS, gpu: 2 };

/** A database and redis of its own, with so many workers on them. */
export interface TimedFleet {
  work: WorkStore;
  database: Database;
  start(count: number): Promise<void>;
  /** What they had under way goes back to wait. Others may be started afterwards. */
  stop(): Promise<void>;
  /** Of each worker's GPU. */
  readGpuRuns(): Promise<GpuReport["runs"][]>;
  close(): Promise<void>;
}

export async function createFleet(
  servers: BenchServers,
  slots: Slots = SLOTS,
): Promise<TimedFleet> {
  await flushRedis(servers.redisUrl);
  const databaseUrl = await createBenchDatabase(servers);
  const database = createDatabase({ url: databaseUrl, poolSize: 8, name: "bench", onError() {} });
  const work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
  const prefix = new URL(databaseUrl).pathname.slice(1).replaceAll("_", "-");
  const workers: BenchProcess[] = [];
  const stop = async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  };
  return {
    work,
    database,
    async start(workerCount) {
      const { redisUrl } = servers;
      const args = { databaseUrl, redisUrl, prefix, stageMs: STAGE_MS, slots, workerCount };
      const start = () => startProcess("timed-worker.ts", args satisfies TimedWorkerArgs);
      workers.push(...(await Promise.all(Array.from({ length: workerCount }, start))));
    },
    stop,
    readGpuRuns: () =>
      Promise.all(
        workers.map(async (worker) => {
          const report = worker.message<GpuReport>("gpu");
          worker.send({ type: "gpu" });
          return (await report).runs;
        }),
      ),
    async close() {
      await stop();
      await database.close();
      await dropBenchDatabase(servers, databaseUrl);
    },
  };
}
