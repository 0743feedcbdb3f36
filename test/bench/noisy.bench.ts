import { newPostId, toSubmission } from "../support/toy-pipeline.ts";
import { json, numberOption } from "./support/options.ts";
import { printReport } from "./support/report.ts";
import { type BenchServers, startServers } from "./support/servers.ts";
import { percentile } from "./support/stats.ts";
import { createFleet, SLOTS, type TimedFleet } from "./support/timed-workers.ts";

const workerCount = numberOption("workers", 4);
const samples = numberOption("samples", 600);
const backlog = numberOption("backlog", 1_000_000);
const EVERY_MS = 200;
const LOADED = "load";
const QUIET = "quiet";
const WARM_UP_MS = 10_000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Latencies of tenant B, whose posts come at fixed times whatever became of the earlier ones. */
async function measure(servers: BenchServers, isLoaded: boolean): Promise<number[]> {
  const fleet = await createFleet(servers);
  try {
    if (isLoaded) await fill(fleet);
    await fleet.start(workerCount);
    await sleep(WARM_UP_MS);
    const accepting: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let n = 0; n < samples; n++) {
      await sleep(Math.max(0, startedAt + n * EVERY_MS - performance.now()));
      accepting.push(fleet.work.accept([toSubmission(newPostId(), { tenant: QUIET })]));
    }
    await Promise.all(accepting);
    return await readLatencies(fleet);
  } finally {
    await fleet.close();
  }
}

/** Tenant A's posts, in the lane of B's: only turns between tenants keep B from waiting behind them. */
async function fill({ database, work }: TimedFleet): Promise<void> {
  const client = await database.pool.connect();
  await work.accept([toSubmission(newPostId(), { tenant: LOADED })]);
  await client.query("set statement_timeout = 0");
  for (let from = 1; from <= backlog; from += 100_000) {
    await client.query(
      `with waiting as (
          insert into stage_job (stage, key, queue, lane, tenant, input, run_at)
          select 'first', '8' || lpad(n::text, 18, '0'), 'io', 2, $3,
            jsonb_build_object('postId', '8' || lpad(n::text, 18, '0')), now()
          from generate_series($1::int, $2::int) n returning id, key),
        asked as (
          insert into request (id, tenant, link, post_id, options_id, lane)
          select 'job_' || lpad(id::text, 26, '0'), $3, 'https://www.tiktok.com/@toy/video/' || key, key, 1, 2
          from waiting)
        insert into request_stage_job (request_id, stage_job_id, relation)
        select 'job_' || lpad(id::text, 26, '0'), id, 'started' from waiting`,
      [from, Math.min(backlog, from + 99_999), LOADED],
    );
  }
  await client.query("vacuum analyze");
  // What the filling left to be written is not the load that is measured.
  await client.query("checkpoint");
  client.release();
}

async function readLatencies({ database }: TimedFleet): Promise<number[]> {
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(250)) {
    const { rows } = await database.pool.query<{ ms: number | null }>(
      `select (extract(epoch from finished_at - created_at) * 1000)::float8 as ms
       from request where tenant = $1`,
      [QUIET],
    );
    const ended = rows.flatMap(({ ms }) => (ms === null ? [] : [ms]));
    if (ended.length === samples) return ended;
  }
  throw new Error("the quiet tenant's posts did not end");
}

const servers = await startServers();
try {
  const quiet = await measure(servers, false);
  const loaded = await measure(servers, true);
  const ratio = percentile(loaded, 0.99) / percentile(quiet, 0.99);
  printReport(
    {
      name: "noisy",
      rounds: 1,
      medians: {
        unloaded_ms_p50: percentile(quiet, 0.5),
        unloaded_ms_p99: percentile(quiet, 0.99),
        beside_backlog_ms_p50: percentile(loaded, 0.5),
        beside_backlog_ms_p99: percentile(loaded, 0.99),
      },
      ratio,
      bar: "p99 beside the backlog ≤ 1.5 × unloaded",
      met: ratio <= 1.5,
      checks: {
        samples,
        backlog,
        workers: workerCount,
        posts_per_second: 1_000 / EVERY_MS,
        gpu_slots: SLOTS.gpu,
      },
      simulated: true,
    },
    { json },
  );
} finally {
  await servers.close();
}
