import { createListener, createRequestReader } from "@clipmill/db";
import type { RequestReader } from "@clipmill/domain";
import { newPostId, toSubmission } from "../support/work/toy-pipeline.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { type BenchServers, startServers } from "./support/servers.ts";
import { median, percentile } from "./support/stats.ts";
import { createFleet, SLOTS, type TimedFleet } from "./support/timed-workers.ts";
import { storeWaitingPosts } from "./support/waiting-posts.ts";

/** A database of its own, whose workers run only while it is measured. */
interface Side {
  fleet: TimedFleet;
  reader: RequestReader;
  close(): Promise<void>;
}

const rounds = numberOption("rounds", 5);
/** Of each side, in all rounds together. */
const samples = numberOption("samples", 600);
const backlog = numberOption("backlog", 1_000_000);
const workerCount = numberOption("workers", 4);
const samplesPerRound = Math.ceil(samples / rounds);
const EVERY_MS = 200;
const LOADED = "load";
const QUIET = "quiet";
/** Asked for before the samples, on both sides: the first posts of a fresh process say nothing about its neighbours. */
const WARM_UP_POSTS = 25;
const TIMEOUT_MS = 60_000;
const BAR = 1.5;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function createSide(servers: BenchServers): Promise<Side> {
  const fleet = await createFleet(servers);
  const listener = createListener({ url: fleet.database.url, onError() {} });
  return {
    fleet,
    reader: createRequestReader(fleet.database, listener),
    async close() {
      await listener.close();
      await fleet.close();
    },
  };
}

/** Latencies of tenant B, in ms. */
async function measure(side: Side): Promise<number[]> {
  await side.fleet.start(workerCount);
  try {
    await askInOpenLoop(side, WARM_UP_POSTS);
    return await askInOpenLoop(side, samplesPerRound);
  } finally {
    await side.fleet.stop();
  }
}

/** Posts come at fixed times, whatever became of the earlier ones, and each is timed from when it should have come. */
async function askInOpenLoop({ fleet, reader }: Side, count: number): Promise<number[]> {
  const startedAt = performance.now();
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const dueAt = startedAt + n * EVERY_MS;
      await sleep(Math.max(0, dueAt - performance.now()));
      const [accepted] = await fleet.work.accept([toSubmission(newPostId(), { tenant: QUIET })]);
      const view = await reader.waitForRequest(accepted?.requestId ?? "", {
        timeoutMs: TIMEOUT_MS,
      });
      if (view?.state !== "done") throw new Error(`a post of the quiet tenant is ${view?.state}`);
      return performance.now() - dueAt;
    }),
  );
}

async function countDone({ database }: TimedFleet): Promise<number> {
  const { rows } = await database.pool.query<{ done: number }>(
    "select count(*)::int as done from request where tenant = $1 and state = 'done'",
    [LOADED],
  );
  return rows[0]?.done ?? 0;
}

const servers = await startServers();
const sides: Side[] = [];
try {
  const quiet = await createSide(servers);
  sides.push(quiet);
  const loaded = await createSide(servers);
  sides.push(loaded);
  // In the lane of B's: only turns between tenants keep B from waiting behind them.
  const fillingAt = performance.now();
  await storeWaitingPosts(loaded.fleet, { count: backlog, tenant: LOADED, lane: "standard" });
  process.stderr.write(`filled in ${((performance.now() - fillingAt) / 1_000).toFixed()} s\n`);
  const unloaded: number[] = [];
  const beside: number[] = [];
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const alone = await measure(quiet);
    const crowded = await measure(loaded);
    unloaded.push(...alone);
    beside.push(...crowded);
    const [aloneP99, crowdedP99] = [percentile(alone, 0.99), percentile(crowded, 0.99)];
    ratios.push(crowdedP99 / aloneP99);
    process.stderr.write(
      `round ${round}: p99 ${aloneP99.toFixed()} ms alone, ${crowdedP99.toFixed()} ms beside the backlog\n`,
    );
  }
  const done = await countDone(loaded.fleet);
  if (done === 0) throw new Error("the backlog was not worked on");
  const ratio = percentile(beside, 0.99) / percentile(unloaded, 0.99);
  printReport(
    {
      name: "noisy",
      rounds,
      medians: {
        unloaded_ms_p50: percentile(unloaded, 0.5),
        unloaded_ms_p99: percentile(unloaded, 0.99),
        beside_backlog_ms_p50: percentile(beside, 0.5),
        beside_backlog_ms_p99: percentile(beside, 0.99),
        median_of_rounds_p99_ratios: median(ratios),
      },
      ratio,
      bar: `p99 beside the backlog ≤ ${BAR} × unloaded, of the samples of all rounds`,
      met: ratio <= BAR,
      checks: {
        samples: beside.length,
        backlog,
        backlog_posts_done: done,
        workers: workerCount,
        posts_per_second: 1_000 / EVERY_MS,
        gpu_slots: SLOTS.gpu,
        ...servers.facts,
      },
      simulated: true,
    },
    { json },
  );
} finally {
  for (const side of sides) await side.close();
  await servers.close();
}
