import { setTimeout as sleep } from "node:timers/promises";
import {
  createDatabase,
  createListener,
  createRequestReader,
  createWorkStore,
  type Database,
  type WorkStoreOptions,
} from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { postJob, startTestApi } from "../../support/posts/test-api.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

const OPTIONS: WorkStoreOptions = {
  pipelines: toyPipelines,
  leaseMs: 30_000,
  queuedForMs: 60_000,
  acceptWithinMs: 1_000,
};
/** How long the pool, or a line before it, lets anybody wait, and as long again for a machine that is slow. */
const ANSWERED_WITHIN_MS = 15_000;

let testDatabase: TestDatabase;
/** Another program at the same server. */
let other: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  other = createDatabase({ url: testDatabase.url, poolSize: 3, name: "other", onError() {} });
});

afterAll(async () => {
  await other.close();
  await testDatabase.drop();
});

function open(poolSize: number, waitingMax?: number): Database {
  const options = waitingMax === undefined ? {} : { waitingMax };
  const { url } = testDatabase;
  const database = createDatabase({ url, poolSize, name: "full", onError() {}, ...options });
  onTestFinished(() => database.close());
  return database;
}

/** Takes all connections of a pool, as statements do that hang. */
async function holdAll({ pool }: Database): Promise<() => void> {
  const clients = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()));
  return () => {
    for (const client of clients) client.release();
  };
}

async function startApi(database: Database) {
  const { url } = testDatabase;
  const listener = createListener({ url, onError() {} });
  onTestFinished(() => listener.close());
  const store = createWorkStore(database, OPTIONS);
  let commits = 0;
  const work: WorkStore = {
    ...store,
    accept(submissions) {
      commits++;
      return store.accept(submissions);
    },
  };
  const api = await startTestApi({ work, requests: createRequestReader(database, listener) });
  return { api, commits: () => commits };
}

async function countRequests(postIds: readonly string[]): Promise<number> {
  const { rows } = await other.pool.query<{ count: number }>(
    "select count(*)::int as count from request where post_id = any ($1::text[])",
    [postIds],
  );
  return rows[0]?.count ?? 0;
}

const newPosts = (count: number) => Array.from({ length: count }, () => newPostId());

describe("an API that is asked more than its database can take", () => {
  test("sheds it in time, with 503 and when to come again, and recovers by itself", async () => {
    const database = open(2, 20);
    const { api } = await startApi(database);
    const release = await holdAll(database);
    const crowd = newPosts(900);
    const startedAt = performance.now();
    const answers = await Promise.all(crowd.map((url) => postJob(api, { url })));
    expect(performance.now() - startedAt).toBeLessThan(ANSWERED_WITHIN_MS);
    for (const { statusCode, headers, body } of answers) {
      expect({ statusCode, code: JSON.parse(body).code }).toEqual({
        statusCode: 503,
        code: "unavailable",
      });
      expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(Number(headers["retry-after"])).toBeLessThanOrEqual(10);
    }
    release();
    expect(await countRequests(crowd)).toBe(0);
    const next = newPosts(50);
    const served = await Promise.all(next.map((url) => postJob(api, { url })));
    expect(new Set(served.map(({ statusCode }) => statusCode))).toEqual(new Set([202]));
    expect(await countRequests(next)).toBe(50);
  });

  test("reads that find no connection are 503 too, and are answered once there is one", async () => {
    const database = open(1, 2);
    const { api } = await startApi(database);
    const { headers, body } = await postJob(api, { url: newPostId() });
    const release = await holdAll(database);
    const path = String(headers.location);
    const refused = await Promise.all(Array.from({ length: 20 }, () => api.app.inject(path)));
    expect(new Set(refused.map(({ statusCode }) => statusCode))).toEqual(new Set([503]));
    release();
    expect((await api.app.inject(path)).json()).toMatchObject({ id: JSON.parse(body).id });
  });

  test("fifty callers at once are a few commits, and each gets its own answer", async () => {
    const { api, commits } = await startApi(open(4));
    const posts = newPosts(50);
    const answers = await Promise.all(posts.map((url) => postJob(api, { url })));
    const ids = new Set(answers.map(({ body }) => JSON.parse(body).id));
    expect({ ids: ids.size, stored: await countRequests(posts) }).toEqual({ ids: 50, stored: 50 });
    expect(commits()).toBeLessThan(25);
  });

  test("fifty copies of one request under one key, in one commit, are one request; another body under it is refused", async () => {
    const { api } = await startApi(open(4));
    const [url, otherUrl] = newPosts(2);
    const headers = { "idempotency-key": `storm-${url}` };
    const answers = await Promise.all([
      ...Array.from({ length: 50 }, () => postJob(api, { url }, headers)),
      postJob(api, { url: otherUrl }, headers),
    ]);
    const statuses = answers.map(({ statusCode }) => statusCode);
    expect(statuses).toEqual([...Array.from({ length: 50 }, () => 202), 422]);
    expect(new Set(answers.slice(0, 50).map(({ body }) => JSON.parse(body).id)).size).toBe(1);
    expect(await countRequests([url ?? "", otherUrl ?? ""])).toBe(1);
  });

  test("a caller that hangs up while it waits for a connection costs no query", async () => {
    const database = open(1, 20);
    const { api, commits } = await startApi(database);
    const release = await holdAll(database);
    const address = await api.app.listen({ host: "127.0.0.1", port: 0 });
    const caller = new AbortController();
    const send = (url: string | undefined, signal?: AbortSignal) =>
      fetch(`${address}/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ url }),
        signal: signal ?? null,
      });
    const [first, gone, last] = newPosts(3);
    const served = [send(first)];
    while (commits() === 0) await sleep(5);
    const hungUp = send(gone, caller.signal);
    served.push(send(last));
    while (api.app.server.listening && (await countConnections(api.app.server)) < 3) await sleep(5);
    // What was sent has been read by the time that the next one, sent later, is.
    await sleep(100);
    caller.abort();
    await expect(hungUp).rejects.toThrow("aborted");
    await sleep(100);
    release();
    expect((await Promise.all(served)).map(({ status }) => status)).toEqual([202, 202]);
    expect(await countRequests([first ?? "", last ?? ""])).toBe(2);
    expect({ stored: await countRequests([gone ?? ""]), commits: commits() }).toEqual({
      stored: 0,
      commits: 2,
    });
  });

  test("an accept that hangs on somebody's lock gives its connection up, and the next one is served", async () => {
    const database = open(1);
    const { api } = await startApi(database);
    const holder = await other.pool.connect();
    await holder.query("begin; lock table request in access exclusive mode");
    const [stuck, next] = newPosts(2);
    expect((await postJob(api, { url: stuck })).statusCode).toBe(503);
    await holder.query("rollback");
    holder.release();
    expect((await postJob(api, { url: next })).statusCode).toBe(202);
    expect(await countRequests([stuck ?? "", next ?? ""])).toBe(1);
  });
});

function countConnections(server: {
  getConnections(done: (e: Error | null, n: number) => void): unknown;
}) {
  return new Promise<number>((resolve) => {
    server.getConnections((_error, count) => resolve(count));
  });
}

describe("a worker whose connections are all taken", () => {
  async function claimOne(work: WorkStore) {
    await work.accept([toSubmission(newPostId())]);
    const [job] = await work.claim(await work.dispatch("io", 1), "test");
    if (job === undefined) throw new Error("nothing was claimed");
    return job;
  }

  test("extends its leases and stores its outcomes all the same; over one pool for all it can do neither", async () => {
    const database = open(1);
    const work = createWorkStore(database, OPTIONS);
    const job = await claimOne(work);
    const release = await holdAll(database);
    const { id, epoch } = job;
    expect(await work.extend([job])).toEqual([{ id, epoch }]);
    await work.extendSettling([job]);
    const shared = createWorkStore({ pool: database.pool }, OPTIONS);
    await expect(shared.extend([job])).rejects.toThrow("timeout exceeded when trying to connect");
    const outcome = { id, epoch, kind: "released" } as const;
    expect(await work.settle([outcome])).toMatchObject({ fenced: [] });
    release();
  });
});

test("a pool's line has an end: who comes later is refused at once, and who stands in it is served", async () => {
  const database = open(1, 2);
  const release = await holdAll(database);
  const served = [1, 2].map((n) => database.pool.query("select $1::int as n", [n]));
  const startedAt = performance.now();
  const refusal = { code: "unavailable" };
  await expect(database.pool.query("select 3")).rejects.toMatchObject(refusal);
  await expect(database.pool.connect()).rejects.toMatchObject(refusal);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  release();
  expect((await Promise.all(served)).map(({ rows }) => rows)).toEqual([[{ n: 1 }], [{ n: 2 }]]);
});
