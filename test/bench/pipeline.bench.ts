import { randomBytes } from "node:crypto";
import {
  createDatabase,
  createWorkStore,
  migrateDatabase,
  startEmbeddedPostgres,
} from "@clipmill/db";
import { migrateQueueSchema } from "@clipmill/queue";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import { startTestRedis } from "../support/global-setup-redis.ts";
import { newPostId, planToy, toSubmission } from "../support/toy-pipeline.ts";
import type { ToyWorkerArgs } from "./processes/toy-worker.ts";
import { startProcess } from "./support/child.ts";
import { printReport } from "./support/report.ts";
import { median } from "./support/stats.ts";

const CONCURRENCY = 100;
const WINDOW = 600;
const ACCEPT_BATCH = 1_000;

const option = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
};
const rounds = option("rounds", 5);
const count = option("posts", 10_000);

/** Both sides are timed from the first claim to the last completion over posts that were accepted before. */
async function timeBare(redisUrl: string): Promise<number> {
  await flush(redisUrl);
  const chain = await startProcess("bare-chain.ts", {
    redisUrl,
    prefix: "bare",
    count,
    concurrency: CONCURRENCY,
  });
  const done = chain.message<{ ms: number }>("done");
  chain.send({ type: "go" });
  const { ms } = await done;
  await chain.stop();
  return (count / ms) * 1_000;
}

async function timeOurs(adminUrl: string, redisUrl: string): Promise<number> {
  await flush(redisUrl);
  const databaseUrl = await createBenchDatabase(adminUrl);
  const database = createDatabase({
    url: databaseUrl,
    poolSize: 2,
    name: "bench-control",
    onError: () => {},
  });
  const work = createWorkStore(database, { plan: planToy, leaseMs: 30_000, queuedForMs: 60_000 });
  for (let from = 0; from < count; from += ACCEPT_BATCH) {
    await work.accept(
      Array.from({ length: Math.min(ACCEPT_BATCH, count - from) }, () =>
        toSubmission(newPostId(), { lane: "backfill" }),
      ),
    );
  }
  await database.pool.query("checkpoint");
  const args = { databaseUrl, redisUrl, prefix: "ours", concurrency: CONCURRENCY, window: WINDOW };
  const worker = await startProcess("toy-worker.ts", {
    ...args,
    roles: ["work"],
  } satisfies ToyWorkerArgs);
  const dispatcher = await startProcess("toy-worker.ts", {
    ...args,
    roles: ["dispatch", "reconcile"],
  } satisfies ToyWorkerArgs);
  worker.send({ type: "go" });
  dispatcher.send({ type: "go" });
  for (let open = count; open > 0;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { rows } = await database.pool.query<{ open: number }>(
      "select count(*) as open from request where state = 'open'",
    );
    open = rows[0]?.open ?? 0;
  }
  const { rows } = await database.pool.query<{ ms: number }>(
    "select (extract(epoch from max(finished_at) - min(started_at)) * 1000)::float8 as ms from stage_job",
  );
  await checkInvariants(database.pool);
  await dispatcher.stop();
  await worker.stop();
  await database.close();
  return (count / (rows[0]?.ms ?? Number.NaN)) * 1_000;
}

async function checkInvariants(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<Record<string, number>>(`select
    (select count(*) from request where state = 'done') as done,
    (select count(*) from stage_job where state = 'done') as jobs,
    (select count(*) from stage_job where state <> 'done') as open,
    (select count(*) from stage_job where epoch <> 1) as redone,
    (select count(*) from request_stage_job where relation = 'started') as links`);
  const expected = { done: count, jobs: 3 * count, open: 0, links: 3 * count };
  for (const [name, value] of Object.entries(expected)) {
    if (rows[0]?.[name] !== value)
      throw new Error(`invariant broken: ${name} is ${rows[0]?.[name]}, not ${value}`);
  }
}

async function createBenchDatabase(adminUrl: string): Promise<string> {
  const name = `bench_${randomBytes(4).toString("hex")}`;
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  await migrateDatabase({ url: url.href, queueMigrations: migrateQueueSchema });
  return url.href;
}

async function flush(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  await redis.flushall();
  redis.disconnect();
}

async function readDurability(adminUrl: string): Promise<Record<string, string>> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  const { rows } = await admin.query<{ name: string; setting: string }>(
    "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'server_version')",
  );
  await admin.end();
  const facts = Object.fromEntries(rows.map((row) => [row.name, row.setting]));
  if (facts["fsync"] !== "on" || facts["synchronous_commit"] !== "on")
    throw new Error("Postgres is not durable here; the figure would mean nothing");
  return facts;
}

const directory = await mkdtemp(join(tmpdir(), "clipmill-bench-"));
const redis = await startTestRedis();
if (redis === null)
  throw new Error("the benchmark needs Redis: set REDIS_URL or install redis-server");
const postgres = await startEmbeddedPostgres({ directory, log: { info() {} } });
try {
  const facts = await readDurability(postgres.url);
  const bare: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await timeBare(redis.url));
    ours.push(await timeOurs(postgres.url, redis.url));
    process.stderr.write(
      `round ${round + 1}: bare ${Math.round(bare.at(-1) ?? 0)}, ours ${Math.round(ours.at(-1) ?? 0)} posts/s\n`,
    );
  }
  const ratio = median(ours) / median(bare);
  printReport(
    {
      name: "pipeline",
      rounds,
      medians: { bare_posts_per_second: median(bare), clipmill_posts_per_second: median(ours) },
      ratio,
      bar: "ratio ≥ 0.35",
      met: ratio >= 0.35,
      checks: { posts: count, concurrency: CONCURRENCY, invariants: "checked", ...facts },
      simulated: true,
    },
    { json: process.argv.includes("--json") },
  );
} finally {
  await postgres.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
}
