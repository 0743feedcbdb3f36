import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { createRunner } from "@clipmill/queue";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import {
  newPostId,
  toyPipelines,
  silentLog,
  toSubmission,
} from "../../support/work/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore & ReturnType<typeof createWorkStore>;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 6, name: "test", onError() {} });
  work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 30_000,
  });
});

beforeEach(async () => {
  await database.pool.query("truncate request, stage_job, request_stage_job cascade");
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const acceptMany = (count: number) =>
  work.accept(Array.from({ length: count }, () => toSubmission(newPostId())));

test("twenty dispatchers at once give out no job twice", async () => {
  await acceptMany(60);
  const dispatched = (
    await Promise.all(Array.from({ length: 20 }, () => work.dispatch("io", 60)))
  ).flat();
  expect(new Set(dispatched.map(({ id }) => id)).size).toBe(dispatched.length);
  expect(dispatched).toHaveLength(60);
});

test("a dispatcher that is cut off in its turn gives it up, and what it had dispatched", async () => {
  await acceptMany(3);
  const cut = createDatabase({ url: testDatabase.url, poolSize: 1, name: "cut", onError() {} });
  cut.pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const silent = (...args: unknown[]) =>
      args[0] === "commit" ? Promise.withResolvers().promise : query(...args);
    Object.assign(client, { query: silent });
  });
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 30_000 };
  void createWorkStore(cut, options).dispatch("io", 10);
  const holders =
    "select 1 from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())";
  await vi.waitFor(async () => expect((await database.pool.query(holders)).rowCount).toBe(1));
  expect(await work.dispatch("io", 10)).toEqual([]);
  await vi.waitFor(async () => expect(await work.dispatch("io", 10)).toHaveLength(3), {
    timeout: 10_000,
    interval: 100,
  });
});

test("twenty reconcilers at once repair each job once", async () => {
  await acceptMany(60);
  await work.claim(await work.dispatch("io", 60), "dead");
  await database.pool.query("update stage_job set held_until = now() - interval '1 second'");
  const counts = await Promise.all(Array.from({ length: 20 }, () => work.reconcile()));
  expect(counts.reduce((sum, { expired }) => sum + expired, 0)).toBe(60);
  const { rows } = await database.pool.query("select distinct state, crashes from stage_job");
  expect(rows).toEqual([{ state: "ready", crashes: 1 }]);
});

test("a backend that is terminated inside a transaction is an error of that call alone", async () => {
  const client = await database.pool.connect();
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  await client.query("begin");
  await database.pool.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
  await expect(client.query("select 1")).rejects.toThrow();
  client.release(true);
  expect(await acceptMany(1)).toMatchObject([{ created: true }]);
});

test("a transaction left idle is ended by the server, and gives back what it held", async () => {
  const client = await database.pool.connect();
  client.on("error", () => {});
  const { rows } = await client.query("show idle_in_transaction_session_timeout");
  expect(rows).toEqual([{ idle_in_transaction_session_timeout: "10s" }]);
  await acceptMany(1);
  await client.query("begin; set local idle_in_transaction_session_timeout = '200ms'");
  await client.query("update stage_job set tenant = 'idle'");
  // Waits for the row, which only the end of the transaction gives back.
  await database.pool.query("update stage_job set lane = 1");
  await expect(client.query("commit")).rejects.toThrow();
  client.release(true);
  expect((await database.pool.query("select tenant, lane from stage_job")).rows).toEqual([
    { tenant: "local", lane: 1 },
  ]);
});

test.each([-1, 1])(
  "a worker whose clock is %d hours off holds its lease all the same",
  async (hours) => {
    await acceptMany(1);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hours * 3_600_000 });
    try {
      const jobs = await work.claim(await work.dispatch("io", 1), "skewed");
      expect(jobs).toHaveLength(1);
      expect(await work.extend(jobs)).toHaveLength(1);
      expect(await work.reconcile()).toMatchObject({ requeued: 0, expired: 0 });
    } finally {
      vi.useRealTimers();
    }
  },
);

test("a stage of another version of the program is left for that version", async () => {
  await acceptMany(1);
  const runner = createRunner({
    stages: [],
    work,
    hints: { push: () => Promise.resolve() },
    ledger: work,
    workerId: "older",
    leaseMs: 30_000,
    log: silentLog,
  });
  const [ref] = await work.dispatch("io", 1);
  if (ref === undefined) throw new Error("nothing was dispatched");
  expect(await runner.run(ref)).toMatchObject({ kind: "released" });
  await runner.close();
  const { rows } = await database.pool.query("select state, attempts, crashes from stage_job");
  expect(rows).toEqual([{ state: "ready", attempts: 0, crashes: 0 }]);
  // Whoever looks at it sees why it waits.
  const { rows: reasons } = await database.pool.query(
    "select error_code, error_message from stage_job",
  );
  expect(reasons).toEqual([
    { error_code: "engine_unavailable", error_message: expect.stringContaining("first") },
  ]);
  // Time for that version's worker to take it; without it two programs would pass it on all the time.
  expect(await work.dispatch("io", 1)).toEqual([]);
});
