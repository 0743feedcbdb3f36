import { createWorkStore, grantCredits } from "@clipmill/db";
import type { WorkStore } from "@clipmill/domain";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newPostId, toSubmission, toyPipelines } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

const PAGE = 10;

let fixture: WorkFixture;
let work: WorkStore;
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ rows } = fixture);
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000 };
  work = createWorkStore(fixture.database, { ...options, advancedMax: PAGE });
});

afterEach(() => fixture[Symbol.asyncDispose]());

const settle = async (postId: string, queue: "io" | "gpu" | "llm") => {
  const { fenced } = await work.settle([toDone(await fixture.claimStage(postId, queue), postId)]);
  expect(fenced).toEqual([]);
};

const countOf = async (where: string) =>
  (await rows<{ n: number }>(`select count(*)::int as n from request where ${where}`))[0]?.n;

test("the end of a job plans a page of its requests, and the reconciler the rest", async () => {
  const postId = newPostId();
  await work.accept(Array.from({ length: 35 }, () => toSubmission(postId)));
  await settle(postId, "io");
  expect(
    await rows("select relation, count(*)::int as n from request_stage_job group by 1 order by 1"),
  ).toEqual([
    { relation: "joined", n: 34 + PAGE - 1 },
    { relation: "started", n: 2 },
  ]);
  // They wait for a page, so nobody says that they have no work.
  expect(await work.replanStranded()).toEqual({ replanned: [], left: [] });
  expect(await work.reconcile()).toMatchObject({ advanced: 25 });
  expect(await rows("select 1 from requests_to_advance")).toEqual([]);
  await settle(postId, "gpu");
  await work.reconcile();
  await settle(postId, "llm");
  expect(await countOf("state = 'done'")).toBe(PAGE);
  await work.reconcile();
  expect(await countOf("state = 'done' and not cached")).toBe(35);
  expect(await rows("select stage, epoch from stage_job order by id")).toEqual([
    { stage: "first", epoch: 1 },
    { stage: "second", epoch: 1 },
    { stage: "third", epoch: 1 },
  ]);
});

test("a job that runs again before all its requests were planned leaves none behind", async () => {
  const postId = newPostId();
  await work.accept(Array.from({ length: 25 }, () => toSubmission(postId)));
  const { id, epoch } = await fixture.claimStage(postId, "io");
  await work.settle([
    { id, epoch, kind: "failed", code: "corrupt_media", message: "broken", upstream: null },
  ]);
  expect(await countOf("state = 'failed'")).toBe(PAGE);
  await work.accept([toSubmission(postId)]);
  await work.reconcile();
  expect(await countOf("state = 'failed'")).toBe(PAGE);
  for (const queue of ["io", "gpu", "llm"] as const) {
    await settle(postId, queue);
    await work.reconcile();
  }
  expect(await countOf("state = 'done'")).toBe(16);
  expect(await rows("select 1 from requests_to_advance")).toEqual([]);
});

test("two reconcilers plan the rest of a job once, and a cancelled request is left out", async () => {
  const postId = newPostId();
  const accepted = await work.accept(Array.from({ length: 45 }, () => toSubmission(postId)));
  await settle(postId, "io");
  await work.cancel([accepted[40]?.requestId ?? ""]);
  const both = await Promise.all([work.reconcile(), work.reconcile()]);
  expect(both.reduce((sum, { advanced = 0 }) => sum + advanced, 0)).toBe(34);
});

test("of all who wait for an answer the oldest pays, however many pages they fill", async () => {
  const postId = newPostId();
  for (const tenant of ["a", "b", "c"]) await grantCredits(fixture.database.pool, tenant, 100);
  for (const tenant of ["a", "b", "c"])
    await work.accept(
      Array.from({ length: PAGE }, () => toSubmission(postId, { tenant, credits: 2 })),
    );
  for (const queue of ["io", "gpu", "llm"] as const) {
    await settle(postId, queue);
    await work.reconcile();
  }
  expect(await countOf("state = 'done'")).toBe(3 * PAGE);
  expect(await rows("select id, available, held from tenant order by id")).toEqual([
    { id: "a", available: 98, held: 0 },
    { id: "b", available: 100, held: 0 },
    { id: "c", available: 100, held: 0 },
  ]);
});
