import { createDatabase, createDeadLetter, type Database } from "@clipmill/db";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { startTestApi } from "../../support/posts/test-api.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 4, name: "test", onError });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  await database.pool.query("truncate stage_job restart identity");
  await database.pool.query(`insert into stage_job
      (stage, key, queue, state, lane, tenant, input, attempts, error_code, error_message, created_at, finished_at)
    select 'download', 'k' || n, 'io', 'failed', 2, 'local', '{"postId":"1"}', 3, 'upstream_unavailable', 'down',
      now() - interval '1 hour', now() - make_interval(mins => n) from generate_series(1, 5) n`);
});

async function call(method: "GET" | "POST", url: string, payload?: object) {
  const { app } = await startTestApi({ dead: createDeadLetter(database) });
  const options = payload === undefined ? { method, url } : { method, url, payload };
  const response = await app.inject(options);
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}

const stateOf = async (id: number) =>
  (await database.pool.query("select state, dropped_at from stage_job where id = $1", [id]))
    .rows[0] as { state: string; dropped_at: Date | null };

describe("GET /v1/dead", () => {
  test("lists by pages, newest first", async () => {
    const first = await call("GET", "/v1/dead?limit=3");
    expect(first.status).toBe(200);
    expect(first.body["work_items"]).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3 }]);
    const cursor = String(first.body["next"]);
    const second = await call("GET", `/v1/dead?limit=3&cursor=${cursor}`);
    expect(second.body).toMatchObject({ work_items: [{ id: 4 }, { id: 5 }], next: null });
  });

  test("shows a piece of work in words for programs", async () => {
    const { body } = await call("GET", "/v1/dead?limit=1");
    expect(body["work_items"]).toEqual([
      {
        id: 1,
        stage: "download",
        queue: "io",
        key: "k1",
        tenant: "local",
        lane: "standard",
        code: "upstream_unavailable",
        detail: "down",
        upstream: null,
        attempts: 3,
        crashes: 0,
        created_at: expect.any(String) as unknown,
        failed_at: expect.any(String) as unknown,
      },
    ]);
  });

  test("filters", async () => {
    expect((await call("GET", "/v1/dead?code=gone")).body["work_items"]).toEqual([]);
    const before = new Date(Date.now() - 3.5 * 60_000).toISOString();
    const { body } = await call("GET", `/v1/dead?stage=download&failed_before=${before}`);
    expect(body["work_items"]).toMatchObject([{ id: 4 }, { id: 5 }]);
  });

  test("takes a moment in any zone", async () => {
    const { status, body } = await call(
      "GET",
      "/v1/dead?failed_before=2000-01-01T00:00:00%2B23:00",
    );
    expect({ status, items: body["work_items"] }).toEqual({ status: 200, items: [] });
  });

  test("calls the lane of what runs alone after a crash `quarantine`", async () => {
    await database.pool.query("update stage_job set lane = 0 where id = 1");
    expect((await call("GET", "/v1/dead?limit=1")).body["work_items"]).toMatchObject([
      { id: 1, lane: "quarantine" },
    ]);
  });

  test.each([
    "?code=no_such_code",
    "?limit=0",
    "?limit=201",
    "?failed_before=yesterday",
    "?failed_before=0000-01-01T00:00:00Z",
    "?failed_after=0000-01-01T00:00:00%2B23:00",
    "?failed_before=9999-12-31T23:59:59-01:00",
    "?stage=%00",
    "?tenant=a%00",
    "?stage=",
    "?cursor=x",
    "?state=open",
  ])("refuses %s", async (query) => {
    expect(await call("GET", `/v1/dead${query}`)).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
  });
});

describe("GET /v1/dead/:id", () => {
  test("shows the input", async () => {
    expect(await call("GET", "/v1/dead/2")).toMatchObject({
      status: 200,
      body: { id: 2, input: { postId: "1" }, dropped_at: null, jobs: [], job_count: 0 },
    });
  });

  test.each([
    ["99", 404],
    ["9007199254740991", 404],
    ["0", 400],
    ["x", 400],
    ["1e400", 400],
  ])("answers %s with %i", async (id, status) => {
    expect(await call("GET", `/v1/dead/${id}`)).toMatchObject({ status });
  });
});

describe("POST /v1/dead/retry and /drop", () => {
  test("retries by id", async () => {
    expect(await call("POST", "/v1/dead/retry", { ids: [2, 99] })).toEqual({
      status: 200,
      body: { work_items: 1, jobs: 0 },
    });
    expect(await stateOf(2)).toMatchObject({ state: "ready" });
    expect(await stateOf(1)).toMatchObject({ state: "failed" });
  });

  test("drops by filter, up to the limit", async () => {
    const selection = { filter: { stage: "download" }, limit: 2 };
    expect(await call("POST", "/v1/dead/drop", selection)).toEqual({
      status: 200,
      body: { work_items: 2 },
    });
    expect(await stateOf(5)).toMatchObject({ dropped_at: expect.any(Date) as unknown });
    expect(await stateOf(1)).toEqual({ state: "failed", dropped_at: null });
  });

  test.each([
    ["nothing", {}],
    ["an empty list", { ids: [] }],
    ["both", { ids: [1], filter: {} }],
    ["an unknown filter", { filter: { state: "failed" } }],
    ["a name with a NUL", { filter: { tenant: "\u0000" } }],
    ["a moment before all time", { filter: { failed_before: "0000-01-01T00:00:00Z" } }],
    ["a limit over the bound", { filter: {}, limit: 10_001 }],
    ["ids that are text", { ids: ["1"] }],
  ])("refuses %s, and touches nothing", async (_what, payload) => {
    for (const action of ["retry", "drop"])
      expect(await call("POST", `/v1/dead/${action}`, payload)).toMatchObject({ status: 400 });
    expect(await stateOf(1)).toEqual({ state: "failed", dropped_at: null });
  });
});
