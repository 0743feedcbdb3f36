import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { newPostId, toyPipelines, toSubmission } from "../support/work/toy-pipeline.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { type BenchServers, createBenchDatabase, startServers } from "./support/servers.ts";
import { median } from "./support/stats.ts";
import { storeWaitingPosts } from "./support/waiting-posts.ts";

/** One side: a store whose first stage has so many rows waiting, which stay as many. */
interface Side {
  database: Database;
  work: WorkStore;
}

const QUEUES = ["io", "gpu", "llm"] as const;
/** Posts of one measurement, and hints of one pick. */
const BATCH = 100;

async function prepare(servers: BenchServers, waitingCount: number): Promise<Side> {
  const url = await createBenchDatabase(servers);
  const database = createDatabase({ url, poolSize: 2, name: "bench", onError() {} });
  const work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 60_000,
    queuedForMs: 60_000,
  });
  await storeWaitingPosts(
    { database, work },
    { count: waitingCount, tenant: "local", lane: "backfill" },
  );
  return { database, work };
}

/** Takes a batch of posts through all stages; the backlog is as long afterwards as before. */
async function timeBatch({ work }: Side): Promise<{ postMs: number; pickMs: number }> {
  const fresh = Array.from({ length: BATCH }, () =>
    toSubmission(newPostId(), { lane: "backfill" }),
  );
  const startedAt = performance.now();
  let pickMs = 0;
  await work.accept(fresh);
  for (const queue of QUEUES) {
    const pickedAt = performance.now();
    const dispatched = await work.dispatch(queue, BATCH);
    pickMs = Math.max(pickMs, performance.now() - pickedAt);
    const jobs = await work.claim(dispatched, "bench");
    const outcomes = jobs.map(({ id, epoch, input }) => {
      return { id, epoch, kind: "done" as const, output: input, records: [], calls: [] };
    });
    await work.settle(outcomes);
    if (jobs.length !== BATCH)
      throw new Error(`dispatched ${jobs.length} jobs of ${queue}, not ${BATCH}`);
  }
  return { postMs: (performance.now() - startedAt) / BATCH, pickMs };
}

/** Statements that ran through a whole table since the backlog stood: by Postgres's own count. */
async function countSeqScans({ database }: Side): Promise<number> {
  const { rows } = await database.pool.query<{ scans: number }>(
    `select coalesce(sum(seq_scan), 0)::float8 as scans from pg_stat_user_tables
     where relname in ('stage_job', 'request', 'request_stage_job')`,
  );
  return rows[0]?.scans ?? Number.NaN;
}

const rounds = numberOption("rounds", 25);
const smallCount = numberOption("small", 10_000);
const bigCount = numberOption("big", 1_000_000);
const servers = await startServers();
const sides: Side[] = [];
try {
  const small = await prepare(servers, smallCount);
  sides.push(small);
  const big = await prepare(servers, bigCount);
  sides.push(big);
  for (const side of sides) await timeBatch(side);
  const scansBefore = await countSeqScans(big);
  const times = { small: [] as number[], big: [] as number[], pick: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.small.push((await timeBatch(small)).postMs);
    const { postMs, pickMs } = await timeBatch(big);
    times.big.push(postMs);
    times.pick.push(pickMs);
  }
  // Statistics are sent at most once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const scans = (await countSeqScans(big)) - scansBefore;
  const ratio = median(times.big) / median(times.small);
  const pickMs = median(times.pick);
  printReport(
    {
      name: "backlog",
      rounds,
      medians: {
        [`ms_per_post_of_${smallCount}`]: median(times.small),
        [`ms_per_post_of_${bigCount}`]: median(times.big),
        slowest_pick_ms: pickMs,
      },
      ratio,
      bar: "ratio ≤ 1.1; pick ≤ 10 ms; no sequential scan",
      met: ratio <= 1.1 && pickMs <= 10 && scans === 0,
      checks: { sequential_scans: scans, posts_per_round: BATCH, ...servers.facts },
      simulated: true,
    },
    { json },
  );
} finally {
  for (const { database } of sides) await database.close();
  await servers.close();
}
