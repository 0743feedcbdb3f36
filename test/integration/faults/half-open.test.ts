import { createDatabase, createWorkStore } from "@clipmill/db";
import { armFailpoints, type Log } from "@clipmill/domain";
import { createRunner } from "@clipmill/queue";
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { createTcpProxy, type TcpProxy } from "../../chaos/harness/tcp-proxy.ts";
import { toProxied } from "../../chaos/harness/servers.ts";
import {
  createToyStages,
  newPostId,
  toyPipelines,
  silentLog,
  toSubmission,
} from "../../support/work/toy-pipeline.ts";
import { startToyWorker } from "../../support/work/toy-worker.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

/** When the server gives up a transaction that stands still, and the driver a statement without an answer. */
const SHORT = { idle_in_transaction_session_timeout: "500", query_timeout: "1500" };
const SETTLE_WITHIN_MS = 1_000;
const LEASE_MS = 6_000;
/** Twice as many find a slot at once. */
const COUNT = 4;
/** Less than the 35 s that the driver would wait. */
const SETTLED_WITHIN = { timeout: 15_000, interval: 50 };
/** Each step waits for BullMQ to look again, where nobody wakes it: 5 s, or 15 s once, when it finds out. */
const DONE_WITHIN = { timeout: 60_000, interval: 50 };

let fixture: WorkFixture;
let proxy: TcpProxy;

beforeEach(async () => {
  fixture = await openWorkFixture();
  proxy = await createTcpProxy(Number(new URL(fixture.database.url).port));
});

afterEach(async () => {
  await proxy.close();
  await fixture[Symbol.asyncDispose]();
});

function toUrl(limits: Record<string, string>): string {
  const url = new URL(toProxied(fixture.database.url, proxy.port));
  for (const [name, value] of Object.entries(limits)) url.searchParams.set(name, value);
  return url.href;
}

describe("a settlement", () => {
  /** A runner behind the proxy; only its settlements have a limit of less than 35 s. */
  function start() {
    const { idle_in_transaction_session_timeout } = SHORT;
    const url = toUrl({ idle_in_transaction_session_timeout });
    const database = createDatabase({ url, poolSize: 4, name: "far", onError() {} });
    const options = { pipelines: toyPipelines, leaseMs: 60_000, queuedForMs: 60_000 };
    const work = createWorkStore(database, { ...options, settleWithinMs: SETTLE_WITHIN_MS });
    let runs = 0;
    const ends: object[] = [];
    const log: Log = {
      ...silentLog,
      info: (fields, line) => void (line === "job ended" && ends.push(fields)),
      child: () => log,
    };
    const runner = createRunner({
      stages: createToyStages(async (_stage, postId) => {
        runs++;
        return { output: { postId } };
      }),
      work,
      hints: { push: () => Promise.resolve() },
      ledger: work,
      workerId: "far",
      leaseMs: 60_000,
      log,
    });
    onTestFinished(async () => {
      armFailpoints(null);
      await runner.close();
      await database.close();
    });
    return { runner, ends, runs: () => runs };
  }

  async function acceptOne() {
    const postId = newPostId();
    const [accepted] = await fixture.work.accept([toSubmission(postId)]);
    const [ref] = await fixture.work.dispatch("io", 1);
    if (ref === undefined || accepted === undefined) throw new Error("nothing was dispatched");
    return { postId, ref, requestId: accepted.requestId };
  }

  async function holdRequest(id: string): Promise<() => Promise<void>> {
    const holder = await fixture.database.pool.connect();
    await holder.query("begin");
    await holder.query("select 1 from request where id = $1 for update", [id]);
    return async () => {
      await holder.query("commit");
      holder.release();
    };
  }

  const countBlocked = async () =>
    (
      await fixture.rows<{ count: number }>(
        "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      )
    )[0]?.count;

  test.each([
    { what: "goes silent", lose: () => proxy.silence() },
    { what: "is reset", lose: () => proxy.cut() },
  ])(
    "whose connection $what in mid-statement is stored over another one, once",
    async ({ lose }) => {
      const { runner, ends, runs } = start();
      const { postId, ref, requestId } = await acceptOne();
      const letGo = await holdRequest(requestId);
      await runner.run(ref);
      await vi.waitFor(async () => expect(await countBlocked()).toBe(1));
      expect(lose()).toBeGreaterThan(0);
      await letGo();
      await vi.waitFor(
        () => expect(ends).toMatchObject([{ outcome: "done", fenced: false }]),
        SETTLED_WITHIN,
      );
      expect(runs()).toBe(1);
      expect(await fixture.stagesOf(postId)).toMatchObject([
        { stage: "first", state: "done", epoch: ref.epoch, attempts: 0 },
        { stage: "second", state: "ready" },
      ]);
    },
  );

  test("whose commit is done and not answered is fenced when it comes again", async () => {
    const { runner, ends, runs } = start();
    const { postId, ref } = await acceptOne();
    let lost = 0;
    armFailpoints((point) => {
      if (point === "in-settle" && lost === 0) lost = proxy.silence("answers");
    });
    await runner.run(ref);
    await vi.waitFor(
      () => expect(ends).toMatchObject([{ outcome: "done", fenced: true }]),
      SETTLED_WITHIN,
    );
    expect(lost).toBeGreaterThan(0);
    expect(runs()).toBe(1);
    expect(await fixture.stagesOf(postId)).toMatchObject([
      { stage: "first", state: "done", epoch: ref.epoch, attempts: 0 },
      { stage: "second", state: "ready" },
    ]);
  });
});

describe.each([
  { backend: "Postgres", redisUrl: null },
  { backend: "Redis", redisUrl: inject("redisUrl") },
])("with the queue on $backend", ({ backend, redisUrl }) => {
  test.skipIf(backend === "Redis" && redisUrl === null)(
    "connections that all go silent for ever hold up nothing for long",
    async () => {
      const toRedis =
        redisUrl === null ? null : await createTcpProxy(Number(new URL(redisUrl).port));
      const underWay: (() => void)[] = [];
      let isOpen = false;
      const worker = startToyWorker({
        databaseUrl: toUrl(SHORT),
        redisUrl: redisUrl && toRedis && toProxied(redisUrl, toRedis.port),
        leaseMs: LEASE_MS,
        queuedForMs: LEASE_MS,
        reconcileEveryMs: 500,
        async run(_stage, postId) {
          if (!isOpen) await new Promise<void>((resolve) => underWay.push(resolve));
          return { output: { postId } };
        },
      });
      onTestFinished(async () => {
        await worker.close();
        await toRedis?.close();
      });
      const submit = () =>
        fixture.work.accept(Array.from({ length: COUNT }, () => toSubmission(newPostId())));
      await submit();
      await vi.waitFor(() => expect(underWay.length).toBe(COUNT), DONE_WITHIN);

      expect(proxy.silence()).toBeGreaterThan(0);
      if (toRedis !== null) expect(toRedis.silence()).toBeGreaterThan(0);
      isOpen = true;
      for (const go of underWay) go();
      await submit();
      const countDone = async () =>
        (await fixture.rows("select 1 from request where state = 'done'")).length;
      await vi.waitFor(async () => expect(await countDone()).toBe(2 * COUNT), DONE_WITHIN);
    },
    90_000,
  );
});
