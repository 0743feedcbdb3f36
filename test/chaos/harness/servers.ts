import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { migrateDatabase } from "@clipmill/db";
import { startEmbeddedPostgres } from "@clipmill/postgres";
import { migrateQueueSchema } from "@clipmill/queue";
import { Redis } from "ioredis";
import pg from "pg";

/** A real server that can be killed and comes back on its port with what it had kept. */
export interface ChaosServer {
  readonly port: number;
  /** Through `port`, so a proxy's port can take its place. */
  readonly url: string;
  crash(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface RedisServer extends ChaosServer {
  /**
   * Between a crash and a restart: the last `share`, above 0 and up to 1, of what a crashed machine may lose of the log
   * is cut off, in the middle of a command as likely as not. Returns the bytes that are gone.
   */
  loseTail(share: number): Promise<number>;
}

/** What BullMQ runs on: a Redis, or the Postgres that holds everything else. */
export type QueueServer =
  | { backend: "redis"; server: RedisServer }
  | { backend: "postgres"; server: ChaosServer };

/** The log of a second or two at the pace of a run: `everysec` promises no more. */
const TAIL_MAX_BYTES = 64 * 1024;

/** Durable as in production: fsync and synchronous_commit stay on. */
export async function startPostgres(directory: string): Promise<ChaosServer> {
  const log = { info() {} };
  let server = await startEmbeddedPostgres({ directory, log });
  const { port, url } = server;
  await migrateDatabase({ url, queueMigrations: migrateQueueSchema });
  return {
    port,
    url,
    async crash() {
      // What `pg_ctl stop -m immediate` sends: no checkpoint, no goodbye, recovery at the next start.
      process.kill(server.pid, "SIGQUIT");
      await server.exited;
    },
    async restart() {
      server = await startEmbeddedPostgres({ directory, port, log });
    },
    close: () => server.close(),
  };
}

/** Null where no redis-server is installed. A kill alone loses nothing: what it wrote is in the kernel's cache. */
export async function startRedis(directory: string, port: number): Promise<RedisServer | null> {
  await mkdir(directory, { recursive: true });
  const settings = { port, bind: "127.0.0.1", dir: directory, save: "", appendonly: "yes" };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const url = `redis://127.0.0.1:${port}`;
  let child = await launch();
  if (child === null) return null;

  async function launch(): Promise<ChildProcess | null> {
    const next = spawn("redis-server", args, { stdio: "ignore" });
    const failed = await Promise.race([
      once(next, "error").then(() => true),
      answers(url).then(() => false),
    ]);
    return failed ? null : next;
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  return {
    port,
    url,
    crash: () => end("SIGKILL"),
    loseTail: (share) => cutTail(join(directory, "appendonlydir"), share),
    async restart() {
      child = await launch();
    },
    close: () => end("SIGTERM"),
  };
}

async function cutTail(directory: string, share: number): Promise<number> {
  // Numbered; never rewritten in a run, so there is but one.
  const name = (await readdir(directory)).find((file) => file.endsWith(".incr.aof"));
  if (name === undefined) return 0;
  const path = join(directory, name);
  const { size } = await stat(path);
  const lost = Math.ceil(Math.min(size, TAIL_MAX_BYTES) * share);
  await truncate(path, size - lost);
  return lost;
}

async function answers(url: string): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on("error", () => {});
  await redis.ping();
  redis.disconnect();
}

/** A recovery takes a second; at a load of 30 on two cores nobody could connect for two minutes. */
const OUTAGE_MAX_MS = 600_000;

/** The harness's own view of the database, past all proxies; it waits out a restart and a machine that is slow. */
export async function query<T>(url: string, sql: string, values: unknown[] = []): Promise<T[]> {
  for (const until = Date.now() + OUTAGE_MAX_MS; ;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 30_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query(sql, values)).rows as T[];
    } catch (error) {
      if (Date.now() > until || !isOutage(error)) throw error;
      await sleep(300);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

/** Anything but an answer from a server that is up: classes 08 (connection) and 57 (operator intervention). */
function isOutage(error: unknown): boolean {
  const code = error instanceof pg.DatabaseError ? (error.code ?? "") : "57";
  return code.startsWith("57") || code.startsWith("08");
}

export function toProxied(url: string, port: number): string {
  const proxied = new URL(url);
  proxied.port = String(port);
  return proxied.href;
}

export function toDirectories(
  home: string,
): Record<"postgres" | "redis" | "storage" | "logs", string> {
  return {
    postgres: join(home, "postgres"),
    redis: join(home, "redis"),
    storage: join(home, "storage"),
    logs: join(home, "logs"),
  };
}
