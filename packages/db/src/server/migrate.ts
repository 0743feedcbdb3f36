import { fileURLToPath } from "node:url";
import pg from "pg";

/** Any constant of ours; all processes that migrate this database take the same lock. */
const MIGRATION_LOCK = 7_146_001;

const MIGRATIONS_DIRECTORY = fileURLToPath(new URL("../../../migrations", import.meta.url));

/**
 * Brings the database up to date: the queue's own migrations first, then ours, under one advisory lock, so that
 * any number of processes may start at once. Does nothing when everything is applied.
 */
export async function migrateDatabase(options: {
  url: string;
  queueMigrations?: (client: pg.Client) => Promise<void>;
}): Promise<void> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: "clipmill-migrate",
    connectionTimeoutMillis: 5_000,
  });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await options.queueMigrations?.(client);
    // Imported here: it costs 0.6 s of CPU, and only one process of an installation migrates.
    const [{ drizzle }, { migrate }] = await Promise.all([
      import("drizzle-orm/node-postgres"),
      import("drizzle-orm/node-postgres/migrator"),
    ]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS_DIRECTORY });
  } finally {
    await client.end();
  }
}
