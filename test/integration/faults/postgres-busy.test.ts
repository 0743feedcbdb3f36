import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkStore,
  type Database,
} from "@clipmill/db";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";
import { newPostId, toyPipelines } from "../../support/work/toy-pipeline.ts";

const SLOW_MS = 200;

let testDatabase: TestDatabase;
/** Another program at the same server. */
let other: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  other = connect(testDatabase.url, 2);
});

afterAll(async () => {
  await other.close();
  await testDatabase.drop();
});

function connect(url: string, poolSize: number): Database {
  return createDatabase({ url, poolSize, name: "test", onError() {} });
}

/** The API over one connection; its health check asks through another one, and always finds the server up. */
async function startApi() {
  const url = new URL(testDatabase.url);
  url.searchParams.set("statement_timeout", String(SLOW_MS));
  const database = connect(url.href, 1);
  const listener = createListener({ url: url.href, onError() {} });
  onTestFinished(async () => {
    await listener.close();
    await database.close();
  });
  const api = await startTestApi({
    work: createWorkStore(database, {
      pipelines: toyPipelines,
      leaseMs: 30_000,
      queuedForMs: 60_000,
    }),
    requests: createRequestReader(database, listener),
    health: async () => ({
      database: (await other.pool.query("select 1")).rowCount === 1,
      queue: true,
    }),
  });
  return { api, database };
}

async function holdConnection({ pool }: Database): Promise<() => Promise<void>> {
  const client = await pool.connect();
  return async () => client.release();
}

async function lockRequests(): Promise<() => Promise<void>> {
  const client = await other.pool.connect();
  await client.query("begin; lock table request in access exclusive mode");
  return async () => {
    await client.query("rollback");
    client.release();
  };
}

describe("a database that is up and does not keep up", () => {
  test.each([
    { what: "a pool without a free connection", obstruct: holdConnection },
    { what: "a statement over its time", obstruct: lockRequests },
  ])("$what is 503, and accepts nothing", async ({ obstruct }) => {
    const { api, database } = await startApi();
    const url = newPostId();
    const clear = await obstruct(database);
    const refused = await postJob(api, { url });
    const read = await api.app.inject("/v1/jobs/job_01K00000000000000000000000");
    await clear();
    for (const { statusCode, headers, body } of [refused, read]) {
      expect({ statusCode, retryAfter: headers["retry-after"] }).toEqual({
        statusCode: 503,
        retryAfter: "5",
      });
      expect(JSON.parse(body)).toMatchObject({ code: "unavailable", retryable: true });
    }
    const count = "select 1 from request where post_id = $1";
    expect((await other.pool.query(count, [url])).rowCount).toBe(0);
    expect((await postJob(api, { url })).statusCode).toBe(202);
  });

  test.each([
    ["57014", 503],
    ["57P01", 503],
    ["57P03", 503],
    ["08006", 503],
    ["53300", 503],
    ["22012", 500],
    ["42P01", 500],
  ])("an error %s of Postgres is %i", async (code, status) => {
    const fail = async () => {
      await other.pool.query(`do $$ begin raise exception 'x' using errcode = '${code}'; end $$`);
      return null;
    };
    const { app } = await startTestApi({ posts: { find: fail, findVersion: fail } });
    expect((await app.inject("/v1/posts/7000000000000000001")).statusCode).toBe(status);
  });

  test("a connection that is ended while a statement waits is 503", async () => {
    const client = await other.pool.connect();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const find = async () => {
      await Promise.all([
        client.query("select pg_sleep(60)"),
        other.pool.query("select pg_terminate_backend($1)", [rows[0]?.pid]),
      ]);
      return null;
    };
    const { app } = await startTestApi({ posts: { find, findVersion: find } });
    const response = await app.inject("/v1/posts/7000000000000000001");
    client.release(true);
    expect(response.statusCode).toBe(503);
  });
});
