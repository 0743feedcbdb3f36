import { randomBytes } from "node:crypto";
import pg from "pg";
import { migrateDatabase } from "@clipmill/db";
import { migrateQueueSchema } from "@clipmill/queue";
import { inject } from "vitest";

const TEMPLATE = "clipmill_template";
/** Any constant: files run in parallel, and only one of them makes the template. */
const TEMPLATE_LOCK = 7_146_002;

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** A migrated database of its own, cloned from a template: about 50 ms instead of 500. */
export async function createTestDatabase(
  adminUrl: string = inject("postgresUrl"),
): Promise<TestDatabase> {
  return await cloneDatabase(adminUrl, (admin) => ensureTemplate(admin, adminUrl));
}

/** A database of its own without a table of ours. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return await cloneDatabase(inject("postgresUrl"), async () => "template1");
}

async function cloneDatabase(
  adminUrl: string,
  findTemplate: (admin: pg.Client) => Promise<string>,
): Promise<TestDatabase> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    const template = await findTemplate(admin);
    const name = `test_${randomBytes(6).toString("hex")}`;
    await admin.query(`create database ${name} template ${template}`);
    return { url: withDatabase(adminUrl, name), drop: () => dropDatabase(adminUrl, name) };
  } finally {
    await admin.end();
  }
}

async function ensureTemplate(admin: pg.Client, adminUrl: string): Promise<string> {
  await admin.query("select pg_advisory_lock($1)", [TEMPLATE_LOCK]);
  const made = await admin.query("select 1 from pg_database where datname = $1", [TEMPLATE]);
  if (made.rows.length === 0) {
    const draft = `${TEMPLATE}_draft`;
    await admin.query(`drop database if exists ${draft} with (force)`);
    await admin.query(`create database ${draft}`);
    await migrateDatabase({
      url: withDatabase(adminUrl, draft),
      queueMigrations: migrateQueueSchema,
    });
    await admin.query(`alter database ${draft} rename to ${TEMPLATE}`);
  }
  await admin.query("select pg_advisory_unlock($1)", [TEMPLATE_LOCK]);
  return TEMPLATE;
}

async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.end();
}

function withDatabase(url: string, name: string): string {
  const next = new URL(url);
  next.pathname = `/${name}`;
  return next.href;
}
