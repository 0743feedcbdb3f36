import { join } from "node:path";
import type { Config } from "@clipmill/config";
import { migrateDatabase } from "@clipmill/db";
import { EmbeddedPostgresError, startEmbeddedPostgres } from "@clipmill/postgres";
import { migrateQueueSchema } from "@clipmill/queue";
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
  const server = await startEmbeddedPostgres({ directory, log }).catch(throwExplained);
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
function migrate(url: string): Promise<void> {
  return migrateDatabase({ url, queueMigrations: migrateQueueSchema });
}

async function migrateConfigured(url: string): Promise<void> {
  try {
    await migrate(url);
  } catch (error) {
    const reason = toReason(error);
    if (reason === null) throw error;
    const { hostname, port, pathname } = new URL(url);
    const where = `${hostname}:${port === "" ? "5432" : port}${pathname}`;
    throw new UsageError(`DATABASE_URL: cannot connect to ${where} (${reason})`, { cause: error });
  }
}

/** Why there is no connection; null where the error is of another kind. Class 28: role or password, 3D: no such database. */
export function toReason(error: unknown): string | null {
  if (error instanceof AggregateError) return toReason(error.errors[0]);
  if (!(error instanceof Error)) return null;
  const code = "code" in error ? String(error.code) : "";
  if (/^E[A-Z_]+$/.test(code)) return code;
  if (code.startsWith("28")) return "the server refuses the user or the password";
  if (code === "3D000") return "there is no such database";
  if (code === "53300") return "the server has no connection left";
  return error.message.includes("timeout") ? "no answer within 5 s" : null;
}
