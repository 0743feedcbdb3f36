import { hashJson, sha256 } from "@clipmill/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];
let stagesOf: WorkFixture["stagesOf"];
let requestOf: WorkFixture["requestOf"];
let claimStage: WorkFixture["claimStage"];
let runToEnd: WorkFixture["runToEnd"];

beforeAll(async () => {
  fixture = await openWorkFixture();
  ({ work, rows, stagesOf, requestOf, claimStage, runToEnd } = fixture);
});

afterAll(() => fixture[Symbol.asyncDispose]());

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

  test("takes another wish for fresh recognition for another body, and an old body for the same", async () => {
    const postId = newPostId();
    const submission = toSubmission(postId, { idempotencyKey: `fresh-${postId}` });
    const { link, outputs, lane, deadline, language } = submission;
    const [original] = await work.accept([submission]);
    // As it was hashed before submissions could be fresh.
    const before = sha256(JSON.stringify([link, postId, outputs, lane, deadline, language]));
    expect(await requestOf(original?.requestId)).toMatchObject({ body_hash: before });
    const [replay, other] = await work.accept([
      { ...submission, fresh: false },
      { ...submission, fresh: true },
    ]);
    expect(replay).toEqual({ requestId: original?.requestId, created: false, state: "open" });
    expect(other).toMatchObject({ created: false, state: "conflict" });
  });

  test("stores options once, apart for those who want fresh recognition, under the hash that they had before", async () => {
    const postId = newPostId();
    const same = [toSubmission(postId), toSubmission(postId, { fresh: false })];
    const accepted = await work.accept([...same, toSubmission(postId, { fresh: true })]);
    const stored = await rows<{ hash: string; fresh: boolean; requests: number }>(
      `select o.hash, o.fresh, count(*)::int as requests
       from request r join request_options o on o.id = r.options_id
       where r.id = any ($1) group by o.id order by o.fresh`,
      [accepted.map(({ requestId }) => requestId)],
    );
    const { outputs, recipes, language } = toSubmission(postId);
    const hash = hashJson({ outputs, recipes, language });
    expect(stored).toMatchObject([
      { hash, fresh: false, requests: 2 },
      { fresh: true, requests: 1 },
    ]);
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
    expect(await requestOf(earlier?.requestId)).toMatchObject({ cached: false });
    expect(await requestOf(later?.requestId)).toMatchObject({ cached: true, state: "done" });
    expect((await stagesOf(postId)).map((s) => s.epoch)).toEqual([1, 1, 1]);
  });

  test("plans in one batch what is new, what stands there twice and what others wait for", async () => {
    const [fresh, twice, old] = [newPostId(), newPostId(), newPostId()];
    await work.accept([toSubmission(old, { lane: "backfill" })]);
    const accepted = await work.accept([
      toSubmission(fresh),
      toSubmission(twice, { lane: "backfill" }),
      toSubmission(twice, { lane: "interactive" }),
      toSubmission(old, { lane: "interactive" }),
    ]);
    expect(accepted).toMatchObject(accepted.map(() => ({ created: true, state: "open" })));
    const links = await rows(
      `select j.key, l.relation, j.state, j.lane from request_stage_job l join stage_job j on j.id = l.stage_job_id
       where l.request_id = any ($1) order by l.request_id`,
      [accepted.map(({ requestId }) => requestId)],
    );
    expect(links).toEqual([
      { key: fresh, relation: "started", state: "ready", lane: 2 },
      { key: twice, relation: "started", state: "ready", lane: 1 },
      { key: twice, relation: "joined", state: "ready", lane: 1 },
      { key: old, relation: "joined", state: "ready", lane: 1 },
    ]);
  });

  test("stores texts as they came", async () => {
    const idempotencyKey = `"\\,{}NULL' ${newPostId()}`;
    const link = 'https://www.tiktok.com/@"\\{a,b}\n/video/1';
    const submission = toSubmission(newPostId(), { idempotencyKey, link });
    const [accepted] = await work.accept([submission, toSubmission(newPostId(), { link: "NULL" })]);
    expect(await requestOf(accepted?.requestId)).toMatchObject({
      idempotency_key: idempotencyKey,
      link,
    });
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
    await rows("update stage_job set held_until = now() - interval '1 second' where id = $1", [
      zombie.id,
    ]);
    expect(await work.reconcile()).toMatchObject({ expired: 1 });
    const heir = await claimStage(postId, "io");
    expect(heir.epoch).toBe(zombie.epoch + 1);
    expect(await work.settle([toDone(zombie, postId)])).toMatchObject({
      fenced: [{ id: zombie.id, epoch: zombie.epoch }],
    });
    expect(await work.extend([zombie, heir])).toEqual([{ id: heir.id, epoch: heir.epoch }]);
    expect(await stagesOf(postId)).toMatchObject([{ stage: "first", state: "running" }]);
    expect(await work.settle([toDone(heir, postId)])).toMatchObject({ fenced: [] });
  });

  test("drops a hint of an earlier dispatch", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    await work.dispatch("io", 1_000);
    const [old] = await stagesOf(postId);
    await work.requeueAll();
    await work.dispatch("io", 1_000);
    expect(await work.claim([{ id: old?.id ?? 0, epoch: old?.epoch ?? 0 }], "late")).toEqual([]);
  });

  test("settles twice only once", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    const job = await claimStage(postId, "io");
    await work.settle([toDone(job, postId)]);
    expect(await work.settle([toDone(job, postId)])).toMatchObject({
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
    await work.dispatch("io", 1_000);
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
      expect(await requestOf(accepted?.requestId)).toMatchObject({
        state: "failed",
        error_code: "corrupt_media",
      });
    }
    const [again] = await work.accept([toSubmission(postId)]);
    expect(again).toMatchObject({ state: "open" });
    await runToEnd(postId);
    expect(await requestOf(again?.requestId)).toMatchObject({ state: "done", cached: false });
  });

  test("goes on with a warning when a stage that may fail does", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await work.settle([toDone(await claimStage(postId, "io"), postId)]);
    const { id, epoch } = await claimStage(postId, "gpu");
    await work.settle([
      { id, epoch, kind: "failed", code: "engine_failed", message: "crashed", upstream: null },
    ]);
    await work.settle([toDone(await claimStage(postId, "llm"), postId)]);
    expect(await requestOf(accepted?.requestId)).toMatchObject({
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
        ...toDone(job, postId),
        kind: "done",
        output: { postId, engine: "fallback" },
        records: [],
        calls: [],
      },
    ]);
    for (const queue of ["gpu", "llm"] as const)
      await work.settle([toDone(await claimStage(postId, queue), postId)]);
    expect(await work.accept([toSubmission(postId)])).toMatchObject([{ state: "done" }]);
    await rows("insert into worker_process (id, queues, engines) values ('w', '{io}', '{best}')");
    expect(await work.accept([toSubmission(postId)])).toMatchObject([{ state: "open" }]);
    await rows("delete from worker_process");
  });
});
