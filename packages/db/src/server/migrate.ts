import pg from "pg";
import { checkBeforeMigration, isUpToDate, saveOldestProgram } from "./check-schema.ts";
import { toDatabaseProblem, type DatabaseProblem } from "./database-problem.ts";
import { MIGRATIONS_DIRECTORY } from "./migrations.ts";

/** Any constant of ours; all processes that migrate this database take the same lock. */
const MIGRATION_LOCK = 7_146_001;

/** The database cannot be brought up to date until somebody has done what `problem` says. */
export class MigrationRefusedError extends Error {
  override readonly name = "MigrationRefusedError";
  readonly problem: DatabaseProblem;
  constructor(problem: DatabaseProblem, options?: ErrorOptions) {
    super(problem.problem, options);
    this.problem = problem;
  }
}

/**
 * Brings the database up to date: the queue's own migrations first, then ours, under one advisory lock, so that
 * any number of processes may start at once, also beside programs that work on it. Does nothing when everything is
 * applied. Throws MigrationRefusedError where the server, this user's rights or a newer schema forbid it.
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
  // A server that goes away in between is told by the failing query.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    const problem = await checkBeforeMigration(client);
    if (problem !== null) throw new MigrationRefusedError(problem);
    await options.queueMigrations?.(client);
    if (await isUpToDate(client)) return;
    // Imported here: it costs 0.6 s of CPU, and only one process of an installation migrates.
    const [{ drizzle }, { migrate }] = await Promise.all([
      import("drizzle-orm/node-postgres"),
      import("drizzle-orm/node-postgres/migrator"),
    ]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS_DIRECTORY });
    await saveOldestProgram(client);
  } catch (error) {
    const problem = toDatabaseProblem(error);
    if (problem === null) throw error;
    throw new MigrationRefusedError(problem, { cause: error });
  } finally {
    await client.end().catch(() => {});
  }
}
