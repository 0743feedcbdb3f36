import type { Recipes, Submission } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ work, rows } = fixture);
  await rows("insert into tenant (id, max_in_flight) values ('stopped', 0), ('narrow', 1)");
});

afterEach(() => fixture[Symbol.asyncDispose]());

const ask = async (postId: string, tenant: string, more: Partial<Submission> = {}) =>
  (await work.accept([toSubmission(postId, { tenant, ...more })]))[0]?.requestId ?? "";

const placeOf = async (postId: string) =>
  (await rows("select lane, tenant from stage_job where key = $1 order by id desc", [postId]))[0];

const dispatched = async (size = 100) => (await work.dispatch("io", size)).map(({ key }) => key);

describe("a job that several tenants need", () => {
  test("is not held back by the cap of the first", async () => {
    const postId = newPostId();
    await ask(postId, "stopped");
    expect(await dispatched()).toEqual([]);
    await ask(postId, "free");
    expect(await dispatched()).toEqual([postId]);
  });

  test("is not held back by the cap of one who joins in a better lane, and takes the lane", async () => {
    const postId = newPostId();
    await ask(postId, "free", { lane: "backfill" });
    await ask(postId, "stopped", { lane: "interactive" });
    expect(await placeOf(postId)).toEqual({ lane: 1, tenant: "free" });
    expect(await dispatched()).toEqual([postId]);
  });

  test("is not held back by a cap where both ask at once, in later steps too", async () => {
    const postId = newPostId();
    await work.accept(["stopped", "free"].map((tenant) => toSubmission(postId, { tenant })));
    for (const queue of ["io", "gpu", "llm"] as const)
      await work.settle([toDone(await fixture.claimStage(postId, queue), postId)]);
    expect(await rows("select distinct state from request")).toEqual([{ state: "done" }]);
  });

  test("goes to another tenant when the first is stopped later", async () => {
    const [shared, own] = [newPostId(), newPostId()];
    await ask(shared, "paused");
    await ask(own, "paused");
    await ask(shared, "free");
    await rows("insert into tenant (id, max_in_flight) values ('paused', 0)");
    expect(await dispatched()).toEqual([]);
    await work.expireDeadlines();
    expect(await dispatched()).toEqual([shared]);
  });

  test("waits behind the jobs of whoever has fewer, and stays where that is the same", async () => {
    const posts = Array.from({ length: 50 }, newPostId);
    await work.accept(posts.map((postId) => toSubmission(postId, { tenant: "big" })));
    const last = posts.at(-1) ?? "";
    await ask(last, "small");
    expect(await placeOf(last)).toEqual({ lane: 2, tenant: "small" });
    expect((await dispatched(4)).slice(0, 4)).toContain(last);
    const alone = newPostId();
    await ask(alone, "first");
    await ask(alone, "second");
    expect(await placeOf(alone)).toEqual({ lane: 2, tenant: "first" });
  });

  test("goes back when the best-placed request is cancelled", async () => {
    const postId = newPostId();
    await work.accept(
      Array.from({ length: 20 }, () => toSubmission(newPostId(), { tenant: "big" })),
    );
    await ask(postId, "stopped");
    await ask(postId, "big");
    await ask(postId, "small");
    const best = await ask(postId, "urgent", { lane: "interactive" });
    expect(await placeOf(postId)).toEqual({ lane: 1, tenant: "urgent" });
    await work.cancel([best]);
    expect(await placeOf(postId)).toEqual({ lane: 2, tenant: "small" });
  });

  test("keeps a latest start only while all have one", async () => {
    const postId = newPostId();
    const deadline = new Date(Date.now() + 3_600_000).toISOString();
    await ask(postId, "a");
    await ask(postId, "b", { deadline, lane: "interactive" });
    expect(await rows("select start_by from stage_job")).toEqual([{ start_by: null }]);
  });
});

describe("a job that has not started", () => {
  const recipes = (source: string): Recipes => ({ source: [source], asr: [], ocr: [], llm: [] });
  const asked = (link: string, source: string) => ({ link, recipes: recipes(source) });

  test("takes what the latest of equally placed requests asks for", async () => {
    const link = "https://www.tiktok.com/@a/video/1";
    const inputOf = async () =>
      (await rows<{ input: { engines?: string[] } }>("select input from stage_job"))[0]?.input
        .engines;
    const postId = newPostId();
    await ask(postId, "local", asked(link, "old"));
    await rows(`update stage_job set input = input || '{"engines": ["old"]}'`);
    await ask(postId, "local", { ...asked(link, "new"), lane: "backfill" });
    expect(await inputOf()).toEqual(["old"]);
    await ask(postId, "local", asked(link, "new"));
    expect(await inputOf()).toBeUndefined();
    await fixture.claimStage(postId, "io");
    await rows(`update stage_job set input = input || '{"engines": ["old"]}'`);
    await ask(postId, "local", asked(link, "new"));
    expect(await inputOf()).toEqual(["old"]);
  });
});
