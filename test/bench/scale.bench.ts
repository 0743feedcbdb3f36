import { newPostId, toSubmission } from "../support/work/toy-pipeline.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { type BenchServers, startServers } from "./support/servers.ts";
import { median } from "./support/stats.ts";
import {
  createFleet,
  PREFETCHING_SLOTS,
  STAGE_MS,
  type TimedFleet,
} from "./support/timed-workers.ts";

const WORKER_COUNTS = [1, 2, 4, 8];
const WARM_UP_MS = 3_000;
/** With one, the worker's default, the GPU waits for the queue between two jobs: see PREFETCHING_SLOTS. */
const slots = { ...PREFETCHING_SLOTS, gpu: numberOption("gpu-slots", PREFETCHING_SLOTS.gpu) };
const measuredMs = numberOption("seconds", 8) * 1_000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Measured {
  postsPerSecond: number;
  gpuIdle: number;
}

/** Posts that ended, a second, and what part of the time the GPUs stood still, while there is a backlog. */
async function measure(servers: BenchServers, workerCount: number): Promise<Measured> {
  const fleet = await createFleet(servers, slots);
  try {
    const possible = ((WARM_UP_MS + measuredMs) / STAGE_MS.second) * workerCount;
    const backlog = Math.ceil(2 * possible) + 200;
    await fleet.work.accept(Array.from({ length: backlog }, () => toSubmission(newPostId())));
    await fleet.start(workerCount);
    await sleep(WARM_UP_MS);
    const from = Date.now();
    await sleep(measuredMs);
    const to = Date.now();
    const runs = (await fleet.readGpuRuns()).flat();
    // Runs that reach over an edge count with the part inside.
    const busyMs = runs.reduce(
      (sum, run) => sum + Math.max(0, Math.min(run.to, to) - Math.max(run.from, from)),
      0,
    );
    return {
      postsPerSecond: ((await countEnded(fleet, from, to)) / (to - from)) * 1_000,
      gpuIdle: 1 - busyMs / (workerCount * (to - from)),
    };
  } finally {
    await fleet.close();
  }
}

/** Throws where the GPUs had nothing left to wait for. */
async function countEnded({ database }: TimedFleet, from: number, to: number): Promise<number> {
  const { rows } = await database.pool.query<{ ended: number; open: number }>(
    `select count(*) filter (where state = 'done' and finished_at between
        to_timestamp($1::float8 / 1000) and to_timestamp($2::float8 / 1000))::int as ended,
      count(*) filter (where state = 'open')::int as open from request`,
    [from, to],
  );
  const { ended = 0, open = 0 } = rows[0] ?? {};
  if (open === 0) throw new Error("the backlog ended before the measurement");
  return ended;
}

const rounds = numberOption("rounds", 5);
const servers = await startServers();
try {
  const measured = new Map(WORKER_COUNTS.map((count) => [count, [] as Measured[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [count, list] of measured) {
      const latest = await measure(servers, count);
      list.push(latest);
      process.stderr.write(
        `${count}: ${latest.postsPerSecond.toFixed(1)}/s, idle ${latest.gpuIdle.toFixed(3)}\n`,
      );
    }
  }
  const toMedian = (count: number, key: keyof Measured) =>
    median((measured.get(count) ?? []).map((each) => each[key]));
  const single = toMedian(1, "postsPerSecond");
  const scaling = WORKER_COUNTS.slice(1).map((k) => toMedian(k, "postsPerSecond") / (k * single));
  const worstScaling = Math.min(...scaling);
  const worstIdle = Math.max(...WORKER_COUNTS.map((count) => toMedian(count, "gpuIdle")));
  printReport(
    {
      name: "scale",
      rounds,
      medians: Object.fromEntries(
        WORKER_COUNTS.flatMap((count) => [
          [`posts_per_second_of_${count}`, toMedian(count, "postsPerSecond")],
          [`gpu_idle_of_${count}`, toMedian(count, "gpuIdle")],
        ]),
      ),
      ratio: worstScaling,
      bar: "throughput(k) ≥ 0.9 k · throughput(1) for k = 2, 4, 8; GPU idle ≤ 0.02",
      met: worstScaling >= 0.9 && worstIdle <= 0.02,
      checks: {
        gpu_stage_ms: STAGE_MS.second,
        gpu_slots: slots.gpu,
        gpu_jobs_at_once: 1,
        seconds: measuredMs / 1_000,
        ...servers.facts,
      },
      simulated: true,
    },
    { json },
  );
} finally {
  await servers.close();
}
