import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkStore,
  type Database,
  type Listener,
} from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";
import { newPostId, toyPipelines } from "../../support/work/toy-pipeline.ts";

const HOUR_MS = 3_600_000;

let testDatabase: TestDatabase;
let database: Database;
let listener: Listener;
let work: WorkStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const { url } = testDatabase;
  const onError = () => {};
  database = createDatabase({ url, poolSize: 2, name: "test", onError });
  listener = createListener({ url, onError });
  work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
});

afterEach(() => void vi.useRealTimers());

afterAll(async () => {
  await listener.close();
  await database.close();
  await testDatabase.drop();
});

const startApi = () => startTestApi({ work, requests: createRequestReader(database, listener) });
const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString();

describe("a deadline", () => {
  test("that has passed since does not keep a replay from its job", async () => {
    const api = await startApi();
    const body = { url: newPostId(), deadline: fromNow(HOUR_MS) };
    const first = await postJob(api, body, { "idempotency-key": "in-time" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * HOUR_MS });
    const replay = await postJob(api, body, { "idempotency-key": "in-time" });
    expect([first.statusCode, replay.statusCode]).toEqual([202, 202]);
    expect(replay.headers["idempotent-replayed"]).toBe("true");
    expect(replay.json()).toEqual(first.json());
  });

  test("in the past is refused under a key, each time, and nothing starts", async () => {
    const api = await startApi();
    const body = { url: newPostId(), deadline: fromNow(-HOUR_MS) };
    for (const prefer of ["respond-async", "wait=30"]) {
      const response = await postJob(api, body, { "idempotency-key": "too-late", prefer });
      expect(response.statusCode).toBe(422);
      expect(response.json()).toMatchObject({ code: "deadline_missed" });
    }
    expect((await work.dispatch("io", 100)).map(({ key }) => key)).not.toContain(body.url);
    await work.expireDeadlines();
    const { rows } = await database.pool.query(
      "select state, error_code from request where post_id = $1",
      [body.url],
    );
    expect(rows).toEqual([{ state: "failed", error_code: "deadline_missed" }]);
    const again = await postJob(api, body, { "idempotency-key": "too-late" });
    expect(again.statusCode).toBe(422);
  });

  test("in the past stores nothing without a key", async () => {
    const api = await startApi();
    const body = { url: newPostId(), deadline: fromNow(-HOUR_MS) };
    expect((await postJob(api, body)).json()).toMatchObject({ code: "deadline_missed" });
    const stored = "select 1 from request where post_id = $1";
    expect((await database.pool.query(stored, [body.url])).rowCount).toBe(0);
  });

  test("of another moment under the same key is another body", async () => {
    const api = await startApi();
    const body = { url: newPostId(), deadline: fromNow(HOUR_MS) };
    await postJob(api, body, { "idempotency-key": "moved" });
    const late = { ...body, deadline: fromNow(-HOUR_MS) };
    const response = await postJob(api, late, { "idempotency-key": "moved" });
    expect(response.json()).toMatchObject({ code: "idempotency_conflict" });
  });
});
