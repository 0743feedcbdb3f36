import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { ClaimedJob, Outcome, WorkStore } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { newPostId, planToy, toSubmission } from "../support/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({
    url: testDatabase.url,
    poolSize: 8,
    name: "test",
    onError: () => {},
  });
  work = createWorkStore(database, { plan: planToy, leaseMs: 30_000, queuedForMs: 60_000 });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await database.pool.query(sql, values)).rows as T[];
}

const stagesOf = (postId: string) =>
  rows<{ id: number; stage: string; state: string; epoch: number; attempts: number; lane: number }>(
    "select id, stage, state, epoch, attempts, lane from stage_job where key = $1 order by id",
    [postId],
  );

const requestOf = async (id: string) =>
  (await rows<Record<string, unknown>>("select * from request where id = $1", [id]))[0];

/** Dispatches and claims until the wanted post's job is in hand; others are given back. */
async function claimStage(postId: string, queue: "io" | "gpu" | "llm"): Promise<ClaimedJob> {
  await work.pick(queue, 1_000);
  const [row] = await rows<{ id: number; epoch: number }>(
    "select id, epoch from stage_job where key = $1 and queue = $2 and state = 'queued'",
    [postId, queue],
  );
  if (row === undefined) throw new Error(`no queued job of ${postId} in ${queue}`);
  const [job] = await work.claim([row], "test-worker");
  if (job === undefined) throw new Error("not claimed");
  return job;
}

const done = (job: ClaimedJob, postId: string): Outcome => ({
  id: job.id,
  epoch: job.epoch,
  kind: "done",
  output: { postId },
  records: [],
  calls: [],
});

async function runToEnd(postId: string): Promise<void> {
  for (const queue of ["io", "gpu", "llm"] as const)
    await work.settle([done(await claimStage(postId, queue), postId)]);
}

describe("accept", () => {
  test("commits the request and its first step together", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    expect(accepted).toMatchObject({ created: true, state: "open" });
    expect(await stagesOf(postId)).toMatchObject([{ stage: "first", state: "ready" }]);
  });

  test("gives a replayed idempotency key its earlier request, and another body a conflict", async () => {
    const postId = newPostId();
    const submission = toSubmission(postId, { idempotencyKey: `key-${postId}` });
    const [original] = await work.accept([submission]);
    const [replay, other] = await work.accept([submission, { ...submission, lane: "interactive" }]);
    expect(replay).toEqual({ requestId: original?.requestId, created: false, state: "open" });
    expect(other).toMatchObject({ created: false, state: "conflict" });
    expect(await rows("select 1 from request where post_id = $1", [postId])).toHaveLength(1);
  });

  test("stores one request for a hundred simultaneous submissions under one key", async () => {
    const postId = newPostId();
    const submission = toSubmission(postId, { idempotencyKey: `storm-${postId}` });
    const answers = await Promise.all(Array.from({ length: 100 }, () => work.accept([submission])));
    expect(new Set(answers.map(([answer]) => answer?.requestId)).size).toBe(1);
    expect(answers.filter(([answer]) => answer?.created)).toHaveLength(1);
  });

  test("shares one run between callers of one post, and answers them all", async () => {
    const postId = newPostId();
    const accepted = await work.accept(Array.from({ length: 50 }, () => toSubmission(postId)));
    await runToEnd(postId);
    expect(await stagesOf(postId)).toHaveLength(3);
    const ended = await rows<{ state: string }>("select state from request where id = any ($1)", [
      accepted.map((a) => a.requestId),
    ]);
    expect(ended.map((r) => r.state)).toEqual(Array.from({ length: 50 }, () => "done"));
  });

  test("answers a stored post at once, marked as cached, without a new job", async () => {
    const postId = newPostId();
    const [earlier] = await work.accept([toSubmission(postId)]);
    await runToEnd(postId);
    const [later] = await work.accept([toSubmission(postId)]);
    expect(later).toMatchObject({ created: true, state: "done" });
    expect(await requestOf(earlier?.requestId ?? "")).toMatchObject({ cached: false });
    expect(await requestOf(later?.requestId ?? "")).toMatchObject({ cached: true, state: "done" });
    expect((await stagesOf(postId)).map((s) => s.epoch)).toEqual([1, 1, 1]);
  });

  test("survives batches that want the same posts in opposite order", async () => {
    const posts = Array.from({ length: 20 }, newPostId);
    const forward = posts.map((postId) => toSubmission(postId));
    const batches = Array.from({ length: 10 }, (_, i) =>
      work.accept(i % 2 === 0 ? forward : forward.toReversed()),
    );
    expect((await Promise.all(batches)).flat()).toHaveLength(200);
    expect(await rows("select 1 from stage_job where key = any ($1)", [posts])).toHaveLength(20);
  });
});

describe("the fence", () => {
  test("lets a worker whose lease ran out finish nothing", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    const zombie = await claimStage(postId, "io");
    await rows("update stage_job set deadline = now() - interval '1 second' where id = $1", [
      zombie.id,
    ]);
    expect(await work.reconcile()).toMatchObject({ expired: 1 });
    const heir = await claimStage(postId, "io");
    expect(heir.epoch).toBe(zombie.epoch + 1);
    expect(await work.settle([done(zombie, postId)])).toMatchObject({
      fenced: [{ id: zombie.id, epoch: zombie.epoch }],
    });
    expect(await work.extend([zombie, heir])).toEqual([{ id: heir.id, epoch: heir.epoch }]);
    expect(await stagesOf(postId)).toMatchObject([{ stage: "first", state: "running" }]);
    expect(await work.settle([done(heir, postId)])).toMatchObject({ fenced: [] });
  });

  test("drops a hint of an earlier dispatch", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    await work.pick("io", 1_000);
    const [old] = await stagesOf(postId);
    await work.requeueAll();
    await work.pick("io", 1_000);
    expect(await work.claim([{ id: old?.id ?? 0, epoch: old?.epoch ?? 0 }], "late")).toEqual([]);
  });

  test("settles twice only once", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    const job = await claimStage(postId, "io");
    await work.settle([done(job, postId)]);
    expect(await work.settle([done(job, postId)])).toMatchObject({
      fenced: [{ id: job.id, epoch: job.epoch }],
    });
    expect(await stagesOf(postId)).toHaveLength(2);
  });
});

describe("settle", () => {
  test("keeps a failed attempt waiting in Postgres, with its attempt counted", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    const { id, epoch } = await claimStage(postId, "io");
    await work.settle([
      {
        id,
        epoch,
        kind: "retry",
        code: "upstream_unavailable",
        message: "down",
        upstream: "toy",
        delayMs: 60_000,
        counts: true,
      },
    ]);
    expect(await stagesOf(postId)).toMatchObject([{ state: "ready", attempts: 1 }]);
    await work.pick("io", 1_000);
    expect(await stagesOf(postId)).toMatchObject([{ state: "ready" }]);
  });

  test("ends every attached request when an essential stage fails, and a later request tries anew", async () => {
    const postId = newPostId();
    const [a, b] = await work.accept([toSubmission(postId), toSubmission(postId)]);
    const { id, epoch } = await claimStage(postId, "io");
    await work.settle([
      { id, epoch, kind: "failed", code: "corrupt_media", message: "broken", upstream: null },
    ]);
    for (const accepted of [a, b]) {
      expect(await requestOf(accepted?.requestId ?? "")).toMatchObject({
        state: "failed",
        error_code: "corrupt_media",
      });
    }
    const [again] = await work.accept([toSubmission(postId)]);
    expect(again).toMatchObject({ state: "open" });
    await runToEnd(postId);
    expect(await requestOf(again?.requestId ?? "")).toMatchObject({ state: "done", cached: false });
  });

  test("goes on with a warning when a stage that may fail does", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await work.settle([done(await claimStage(postId, "io"), postId)]);
    const { id, epoch } = await claimStage(postId, "gpu");
    await work.settle([
      { id, epoch, kind: "failed", code: "engine_failed", message: "crashed", upstream: null },
    ]);
    await work.settle([done(await claimStage(postId, "llm"), postId)]);
    expect(await requestOf(accepted?.requestId ?? "")).toMatchObject({
      state: "done",
      warnings: [{ stage: "second", code: "engine_failed", message: "crashed" }],
    });
  });

  test("remembers that a post is gone, for a while", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    const { id, epoch } = await claimStage(postId, "io");
    await work.settle([
      { id, epoch, kind: "skipped", code: "gone", message: "deleted", upstream: "toy" },
    ]);
    expect(await work.accept([toSubmission(postId)])).toMatchObject([{ state: "skipped" }]);
    await rows("update stage_job set finished_at = now() - interval '1 day' where id = $1", [id]);
    expect(await work.accept([toSubmission(postId)])).toMatchObject([{ state: "open" }]);
  });

  test("redoes a fallback's result once a better engine is available", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    await rows(
      `update stage_job set input = jsonb_set(input, '{engines}', '["best", "fallback"]') where key = $1`,
      [postId],
    );
    const job = await claimStage(postId, "io");
    await work.settle([
      {
        ...done(job, postId),
        kind: "done",
        output: { postId, engine: "fallback" },
        records: [],
        calls: [],
      },
    ]);
    for (const queue of ["gpu", "llm"] as const)
      await work.settle([done(await claimStage(postId, queue), postId)]);
    expect(await work.accept([toSubmission(postId)])).toMatchObject([{ state: "done" }]);
    await rows("insert into worker_process (id, queues, engines) values ('w', '{io}', '{best}')");
    expect(await work.accept([toSubmission(postId)])).toMatchObject([{ state: "open" }]);
    await rows("delete from worker_process");
  });
});

describe("dispatch", () => {
  test("lets interactive work pass a backlog, and keeps a share for the lanes below", async () => {
    const backlog = Array.from({ length: 300 }, () =>
      toSubmission(newPostId(), { lane: "backfill" }),
    );
    await work.accept(backlog);
    const urgent = Array.from({ length: 100 }, () =>
      toSubmission(newPostId(), { lane: "interactive" }),
    );
    await work.accept(urgent);
    await rows(
      "update stage_job set state = 'ready', run_at = now(), deadline = null where state = 'queued'",
    );
    const picked = await work.pick("io", 50);
    const count = (lane: string) => picked.filter((job) => job.lane === lane).length;
    expect(picked).toHaveLength(50);
    expect(count("interactive")).toBeGreaterThan(25);
    expect(count("backfill")).toBeGreaterThanOrEqual(5);
    expect(await work.pick("io", 50)).toEqual([]);
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("shares a lane between tenants whatever their backlogs", async () => {
    await work.accept(
      Array.from({ length: 200 }, () => toSubmission(newPostId(), { tenant: "loud" })),
    );
    await work.accept(
      Array.from({ length: 10 }, () => toSubmission(newPostId(), { tenant: "quiet" })),
    );
    const picked = await work.pick("io", 20);
    const { rows: tenants } = await database.pool.query(
      "select tenant, count(*) from stage_job where id = any ($1) group by tenant order by tenant",
      [picked.map((job) => job.id)],
    );
    expect(tenants).toEqual([
      { tenant: "loud", count: 10 },
      { tenant: "quiet", count: 10 },
    ]);
    await rows("delete from stage_job where state in ('ready', 'queued')");
  });

  test("moves a waiting job up when a better-placed request joins", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId, { lane: "backfill" })]);
    await work.accept([toSubmission(postId, { lane: "interactive" })]);
    expect(await stagesOf(postId)).toMatchObject([{ lane: 1 }]);
  });
});

describe("reconcile", () => {
  test("condemns a job only after three crashes on its own, and never its neighbour", async () => {
    await rows("delete from stage_job where state in ('ready', 'queued')");
    const culprit = newPostId();
    const neighbour = newPostId();
    const [guilty, innocent] = await work.accept([toSubmission(culprit), toSubmission(neighbour)]);
    const expireLeases = () =>
      rows("update stage_job set deadline = now() - interval '1 second' where state = 'running'");
    // One crash takes both down; from then on each runs alone.
    await work.claim(await work.pick("io", 10), "doomed");
    await expireLeases();
    expect(await work.reconcile()).toMatchObject({ expired: 2, poisoned: 0 });

    let culpritRuns = 0;
    for (let round = 0; round < 4; round++) {
      const picked = await work.pick("io", 10);
      expect(picked).toMatchObject([{ lane: "solo" }]);
      const [job] = await work.claim(picked, "alone");
      if (job === undefined) throw new Error("not claimed");
      if (job.key === neighbour) {
        await work.settle([done(job, neighbour)]);
      } else {
        culpritRuns++;
        await expireLeases();
        expect(await work.reconcile()).toMatchObject({ poisoned: culpritRuns === 3 ? 1 : 0 });
      }
    }
    expect(await requestOf(guilty?.requestId ?? "")).toMatchObject({
      state: "failed",
      error_code: "poison",
    });
    expect(await requestOf(innocent?.requestId ?? "")).toMatchObject({ state: "open" });
    expect(await stagesOf(neighbour)).toMatchObject([
      { stage: "first", state: "done" },
      { stage: "second" },
    ]);
  });

  test("requeues a hint that nobody claimed in time", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    await work.pick("io", 1_000);
    await rows(
      "update stage_job set deadline = now() - interval '1 second' where state = 'queued'",
    );
    expect((await work.reconcile()).requeued).toBeGreaterThanOrEqual(1);
    expect(await stagesOf(postId)).toMatchObject([{ state: "ready", attempts: 0 }]);
  });
});
