import { createDatabase, createDeadLetter, type Database } from "@clipmill/db";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";

let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const { pool, close } = createDatabase({
    url: testDatabase.url,
    poolSize: 1,
    name: "test",
    onError() {},
  });
  await pool.query(`insert into stage_job (stage, key, queue, lane, tenant, input, run_at)
    select 'first', 'k' || n, 'io', 2, 'a', '{}', now() from generate_series(1, 100000) n`);
  await pool.query("analyze stage_job");
  await pool.query(`insert into stage_job (stage, key, queue, state, lane, tenant, input, finished_at, error_code)
    select 'first', 'd' || n, 'io', 'failed', 2, 'a', '{}', now(), 'gone' from generate_series(1, 100) n`);
  await close();
});

afterAll(() => testDatabase.drop());

/** Rows of stage_job that the statements of `use` fetched or scanned, as Postgres counts them. */
async function countRowsRead(use: (own: Database) => Promise<unknown>): Promise<number> {
  // One connection: what a session read is counted when it says so, and only for itself.
  const own = createDatabase({ url: testDatabase.url, poolSize: 1, name: "test", onError() {} });
  const read = async () => {
    await own.pool.query("select pg_stat_force_next_flush()");
    const { rows } = await own.pool.query<{ count: number }>(
      `select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::float8 as count
       from pg_stat_user_tables where relname = 'stage_job'`,
    );
    return rows[0]?.count ?? Number.NaN;
  };
  try {
    const before = await read();
    await use(own);
    return (await read()) - before;
  } finally {
    await own.close();
  }
}

describe("the dead letter of a big table", () => {
  test.each([
    ["everything", {}],
    ["a code", { code: "gone" }],
    ["a stage", { stage: "first" }],
    ["a tenant", { tenant: "a" }],
  ] as const)("reads %s by index among a hundred thousand live rows", async (_what, filter) => {
    expect(
      await countRowsRead((own) => createDeadLetter(own).list(filter, { limit: 10 })),
    ).toBeLessThan(1_000);
    const countAll = "select count(*) from stage_job where input is not null";
    expect(await countRowsRead((own) => own.pool.query(countAll))).toBeGreaterThan(100_000);
  });
});
