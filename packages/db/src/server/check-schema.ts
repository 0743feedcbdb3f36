import type { Queryable } from "../database.ts";
import { type DatabaseProblem, toStandbyProblem } from "./database-problem.ts";
import { loadMigrations, type Migration } from "./migrations.ts";

/**
 * The oldest program that can work on the schema as this program's migrations leave it, by the last migration that it
 * knows. Migrations only add, so this stays as it is, until one takes away what an older program uses: then it is
 * raised to the first program that does without.
 */
export const OLDEST_PROGRAM = 5;

const MINIMUM_POSTGRES = 14;

/**
 * What keeps this program from working on a database; null: nothing. Its schema must have every migration that this
 * program knows. One that has more is served if it says that programs as old as this one can (`OLDEST_PROGRAM` of
 * the program that migrated it). Throws what the driver throws.
 */
export async function checkSchema(
  database: Queryable,
  known: readonly Migration[] = loadMigrations(),
): Promise<DatabaseProblem | null> {
  const unfit = await checkServer(database);
  if (unfit !== null) return unfit;
  const { applied, oldestProgram } = await readState(database);
  const missing = known.filter(({ writtenAt }) => !applied.has(writtenAt));
  if (missing.length > 0) return toMissingProblem(missing, applied);
  return findTooNew(known, oldestProgram);
}

/** The same for a program that is about to migrate: what is missing is no problem then. */
export async function checkBeforeMigration(database: Queryable): Promise<DatabaseProblem | null> {
  const unfit = await checkServer(database);
  if (unfit !== null) return unfit;
  return findTooNew(loadMigrations(), (await readState(database)).oldestProgram);
}

/** Whether every migration that this program knows is applied, and whoever looks is told how old a program may be. */
export async function isUpToDate(
  database: Queryable,
  known: readonly Migration[] = loadMigrations(),
): Promise<boolean> {
  const { applied, oldestProgram } = await readState(database);
  return oldestProgram >= OLDEST_PROGRAM && known.every(({ writtenAt }) => applied.has(writtenAt));
}

async function checkServer(database: Queryable): Promise<DatabaseProblem | null> {
  const { rows } = await database.query<{ version: string; major: number; standby: boolean }>(
    `select current_setting('server_version') as version, pg_is_in_recovery() as standby,
       current_setting('server_version_num')::int / 10000 as major`,
  );
  const { version = "unknown", major = 0, standby = false } = rows[0] ?? {};
  if (major < MINIMUM_POSTGRES) {
    return {
      problem: `the server is Postgres ${version}`,
      remedy: `use Postgres ${MINIMUM_POSTGRES} or newer`,
      mayPass: false,
    };
  }
  return standby ? toStandbyProblem() : null;
}

interface SchemaState {
  /** Migrations by when they were written. */
  applied: ReadonlySet<number>;
  /** 0: no program has told. */
  oldestProgram: number;
}

async function readState(database: Queryable): Promise<SchemaState> {
  const { rows } = await database.query<{ migrations: boolean; compatibility: boolean }>(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as migrations,
       to_regclass('drizzle.compatibility') is not null as compatibility`,
  );
  const has = rows[0] ?? { migrations: false, compatibility: false };
  const applied = has.migrations
    ? await database.query<{ written_at: string }>(
        "select created_at::text as written_at from drizzle.__drizzle_migrations",
      )
    : { rows: [] };
  const told = has.compatibility
    ? await database.query<{ oldest: number }>(
        "select coalesce(max(oldest_program), 0)::int as oldest from drizzle.compatibility",
      )
    : { rows: [] };
  return {
    applied: new Set(applied.rows.map(({ written_at }) => Number(written_at))),
    oldestProgram: told.rows[0]?.oldest ?? 0,
  };
}

/** Keeps what `findTooNew` reads. An older program that migrates takes nothing back. */
export async function saveOldestProgram(database: Queryable): Promise<void> {
  await database.query(
    "create table if not exists drizzle.compatibility (only_row boolean primary key default true check (only_row), oldest_program int not null)",
  );
  await database.query(
    `insert into drizzle.compatibility (oldest_program) values ($1)
     on conflict (only_row) do update set oldest_program = excluded.oldest_program
     where compatibility.oldest_program < excluded.oldest_program`,
    [OLDEST_PROGRAM],
  );
}

function toMissingProblem(
  missing: readonly Migration[],
  applied: ReadonlySet<number>,
): DatabaseProblem {
  const [first] = missing;
  if (applied.size === 0) {
    return {
      problem: "the database is empty",
      remedy: "run `clipmill migrate`",
      mayPass: false,
      isBehind: true,
    };
  }
  // The migrator goes by the time of the last one, and would leave this one out.
  if (first !== undefined && first.writtenAt < Math.max(...applied)) {
    return {
      problem: `the database lacks the migration ${first.tag} and has later ones: another line of clipmill made it`,
      remedy: "use the clipmill that made it, or another database",
      mayPass: false,
    };
  }
  return {
    problem: `the database is older than this clipmill and lacks ${missing.map(({ tag }) => tag).join(", ")}`,
    remedy: "run `clipmill migrate`",
    mayPass: false,
    isBehind: true,
  };
}

function findTooNew(known: readonly Migration[], oldestProgram: number): DatabaseProblem | null {
  const own = known.at(-1)?.index ?? 0;
  if (oldestProgram <= own) return null;
  return {
    problem: `the database is newer than this clipmill: it needs one that knows migration ${oldestProgram}, and this one knows up to ${own}`,
    remedy: "update clipmill, or use another database",
    mayPass: false,
  };
}
