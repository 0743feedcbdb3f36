import { join } from "node:path";
import type { Config } from "@clipmill/config";
import { type DatabaseProblem, migrateDatabase, MigrationRefusedError } from "@clipmill/db";
import { EmbeddedPostgresError, startEmbeddedPostgres } from "@clipmill/postgres";
import { EnvironmentError, UsageError } from "../failure.ts";

export interface ServedDatabase {
  /** Holds the password. */
  url: string;
  /** Rejects when the embedded server ends by itself; never resolves. */
  failed: Promise<never>;
  close(): Promise<void>;
}

/**
 * DATABASE_URL, else the embedded server: reachable and migrated. Throws UsageError for a wrong DATABASE_URL, and
 * EnvironmentError where the embedded server does not start.
 */
export async function serveDatabase(
  config: Config,
  notice: (line: string) => void,
): Promise<ServedDatabase> {
  if (config.DATABASE_URL !== undefined) {
    await migrateConfigured(config.DATABASE_URL);
    return { url: config.DATABASE_URL, failed: new Promise(() => {}), close: async () => {} };
  }
  const directory = join(config.CLIPMILL_HOME, "postgres");
  const log = { info: (_fields: unknown, message: string) => notice(`postgres: ${message}`) };
  const starting = startEmbeddedPostgres({ directory, log }).catch(throwExplained);
  // Loaded while the server starts, which takes as long.
  const [server] = await Promise.all([starting, import("@clipmill/queue")]);
  let closing = false;
  const failed = server.exited.then((tail) => {
    if (closing) return new Promise<never>(() => {});
    throw new EnvironmentError(`Postgres ended by itself; its last lines:\n${tail}`);
  });
  failed.catch(() => {});
  const close = () => {
    closing = true;
    return server.close();
  };
  try {
    await migrate(server.url);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: server.url, failed, close };
}

function throwExplained(error: unknown): never {
  if (!(error instanceof EmbeddedPostgresError)) throw error;
  throw new EnvironmentError(error.message, { cause: error });
}

/** BullMQ's own tables stand in the same server also where it runs on Redis: the backend may change later. */
async function migrate(url: string): Promise<void> {
  const { migrateQueueSchema } = await import("@clipmill/queue");
  await migrateDatabase({ url, queueMigrations: migrateQueueSchema });
}

async function migrateConfigured(url: string): Promise<void> {
  try {
    await migrate(url);
  } catch (error) {
    if (!(error instanceof MigrationRefusedError)) throw error;
    throw new UsageError(`DATABASE_URL: ${toUnusable(url, error.problem)}`, { cause: error });
  }
}

/** With the place, but neither user nor password. */
export function toUnusable(url: string, { problem, remedy }: DatabaseProblem): string {
  const { hostname, port, pathname } = new URL(url);
  const where = `${hostname}:${port === "" ? "5432" : port}${pathname}`;
  return `cannot use the database at ${where}: ${problem}. Fix it: ${remedy}`;
}
