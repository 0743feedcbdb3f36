import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateDatabase } from "@clipmill/db";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import { migrateQueueSchema } from "@clipmill/queue";
import { Redis } from "ioredis";
import pg from "pg";
import { startTestRedis } from "../../support/servers/global-setup-redis.ts";

/** A durable Postgres and a Redis of the benchmark's own. */
export interface BenchServers {
  postgresUrl: string;
  /** Of the postmaster, below which all backends are. */
  postgresPid: number;
  redisUrl: string;
  /** Settings that the figures depend on, as the server reports them. */
  facts: Record<string, string>;
  close(): Promise<void>;
}

/** Throws where Postgres does not keep what it commits. */
export async function startServers(): Promise<BenchServers> {
  const directory = await mkdtemp(join(tmpdir(), "clipmill-bench-"));
  const redis = await startTestRedis();
  if (redis === null)
    throw new Error("the benchmark needs Redis: set REDIS_URL or install redis-server");
  const closing = [() => redis.close(), () => rm(directory, { recursive: true, force: true })];
  const close = async () => {
    for (const end of closing) await end();
  };
  try {
    const postgres = await startEmbeddedPostgres({ directory, log: { info() {} } });
    closing.unshift(() => postgres.close());
    const { url: postgresUrl, pid: postgresPid } = postgres;
    const facts = await readDurability(postgresUrl);
    return { postgresUrl, postgresPid, redisUrl: redis.url, facts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** An empty, migrated database beside the others. */
export async function createBenchDatabase({
  postgresUrl,
}: Pick<BenchServers, "postgresUrl">): Promise<string> {
  const name = `bench_${randomBytes(4).toString("hex")}`;
  await withClient(postgresUrl, (client) => client.query(`create database ${name}`));
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  await migrateDatabase({ url: url.href, queueMigrations: migrateQueueSchema });
  return url.href;
}

export async function dropBenchDatabase(
  { postgresUrl }: Pick<BenchServers, "postgresUrl">,
  url: string,
): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await withClient(postgresUrl, (client) => client.query(`drop database ${name} with (force)`));
}

export async function withClient<T>(
  url: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

export async function flushRedis(url: string): Promise<void> {
  await withRedis(url, (redis) => redis.flushall());
}

export async function readRedisBytes(url: string): Promise<number> {
  const info = await withRedis(url, (redis) => redis.info("memory"));
  return Number(/used_memory:(\d+)/.exec(info)?.[1] ?? Number.NaN);
}

/** The process id that the server itself knows: another one than ours where it runs in a container. */
export async function readRedisPid(url: string): Promise<number> {
  const info = await withRedis(url, (redis) => redis.info("server"));
  return Number(/process_id:(\d+)/.exec(info)?.[1] ?? Number.NaN);
}

async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Throws where the server may lose what it commits. */
export async function readDurability(url: string): Promise<Record<string, string>> {
  const { rows } = await withClient(url, (client) =>
    client.query<{ name: string; setting: string }>(
      "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'server_version')",
    ),
  );
  const facts = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  if (facts["fsync"] !== "on" || facts["synchronous_commit"] !== "on")
    throw new Error("Postgres is not durable here; the figure would mean nothing");
  return facts;
}
