import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

const inOneHour = () => new Date(Date.now() + 3_600_000).toISOString();
const countBlocked = async () =>
  (
    await rows<{ count: number }>(
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    )
  )[0]?.count;

test("a step that is planned while its request is being cancelled is cancelled with it", async () => {
  const postId = newPostId();
  const [accepted] = await work.accept([toSubmission(postId)]);
  const id = accepted?.requestId ?? "";
  const job = await fixture.claimStage(postId, "io");
  // The settlement has ended the first job and waits for the request; the cancellation waits for the settlement.
  const holder = await fixture.database.pool.connect();
  await holder.query("begin");
  await holder.query("select 1 from request where id = $1 for update", [id]);
  const settled = work.settle([toDone(job, postId)]);
  await vi.waitFor(async () => expect(await countBlocked()).toBe(1));
  const cancelled = work.cancel([id]);
  await vi.waitFor(async () => expect(await countBlocked()).toBe(2));
  await holder.query("commit");
  holder.release();
  await settled;
  expect(await cancelled).toEqual([id]);
  expect(await fixture.stagesOf(postId)).toMatchObject([
    { stage: "first", state: "done" },
    { stage: "second", state: "cancelled" },
  ]);
});

test("a job that may not start any more and that nobody needs is cancelled", async () => {
  const postId = newPostId();
  const [accepted] = await work.accept([toSubmission(postId, { deadline: inOneHour() })]);
  // The state that a refetch leaves when it unlinks the job from its only request.
  await rows("delete from request_stage_job where request_id = $1", [accepted?.requestId]);
  await rows("update stage_job set start_by = now() - interval '1 s' where key = $1", [postId]);
  await work.expireDeadlines();
  expect(await fixture.stagesOf(postId)).toMatchObject([{ state: "cancelled" }]);
});

test("a job whose latest start passed while its hint waited is not claimed", async () => {
  const postId = newPostId();
  await work.accept([toSubmission(postId, { deadline: inOneHour() })]);
  const dispatched = await work.dispatch("io", 10);
  await rows("update stage_job set start_by = now() - interval '1 s' where key = $1", [postId]);
  expect(await work.claim(dispatched, "late")).toEqual([]);
});

test("a job takes tenant and lane of a request in a better lane, until that one is cancelled", async () => {
  const postId = newPostId();
  await work.accept([toSubmission(postId, { tenant: "slow", lane: "backfill" })]);
  const [joined] = await work.accept([
    toSubmission(postId, { tenant: "quick", lane: "interactive" }),
  ]);
  const owner = () =>
    rows("select tenant, lane from stage_job where key = $1 and stage = 'first'", [postId]);
  expect(await owner()).toEqual([{ tenant: "quick", lane: 1 }]);
  await work.cancel([joined?.requestId ?? ""]);
  expect(await owner()).toEqual([{ tenant: "slow", lane: 3 }]);
});

test("only the holder of a job can open a paid call", async () => {
  const postId = newPostId();
  const [accepted] = await work.accept([toSubmission(postId)]);
  const job = await fixture.claimStage(postId, "io");
  const call = { job, engine: "paid", estimateUsd: 0.01 };
  const stale = { ...call, job: { ...job, epoch: job.epoch - 1 } };
  const [first, other, second] = await work.open([call, stale, { ...call, estimateUsd: 0.02 }]);
  expect(other).toBeNull();
  const usd = `select usd::float8 from cost_entry where id = $1`;
  expect(await rows(usd, [first])).toEqual([{ usd: 0.01 }]);
  expect(await rows(usd, [second])).toEqual([{ usd: 0.02 }]);
  await work.cancel([accepted?.requestId ?? ""]);
  expect(await work.open([call])).toEqual([null]);
  expect(await rows("select 1 from cost_entry")).toHaveLength(2);
});

test("a result that cannot be read makes its job run again, and holds up nobody else's", async () => {
  const [broken, whole] = [newPostId(), newPostId()];
  const accepted = await work.accept([toSubmission(broken), toSubmission(whole)]);
  const jobs = await work.claim(await work.dispatch("io", 10), "test");
  await work.settle(
    jobs.map((job) =>
      job.key === broken ? { ...toDone(job, broken), output: { postId: 7 } } : toDone(job, whole),
    ),
  );
  const [first, second] = accepted.map(({ requestId }) => requestId);
  expect(await fixture.requestOf(first)).toMatchObject({ state: "open" });
  expect(await fixture.requestOf(second)).toMatchObject({ state: "open" });
  const stages = async (postId: string) =>
    (await fixture.stagesOf(postId)).map(({ stage, state }) => `${stage} ${state}`);
  expect(await stages(broken)).toEqual(["first ready"]);
  expect(await stages(whole)).toEqual(["first done", "second ready"]);
});
