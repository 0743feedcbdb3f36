import { afterEach, beforeEach, expect, test } from "vitest";
import { runTogether } from "../../support/work/run-together.ts";
import { newName, toCrawl, toEnd, toWait, toyKinds } from "../../support/work/toy-kinds.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture(undefined, toyKinds);
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

const overdue = () => rows("update stage_wait set expires_at = now() - interval '1 second'");
const findTokens = async () =>
  (await rows<{ token: string }>("select token from stage_wait order by token")).map(
    (w) => w.token,
  );

/** A crawl whose first job waits for the token, and has waited for too long. */
async function startOverdue(token: string) {
  const link = newName("page");
  const [accepted] = await work.accept([toCrawl(link)]);
  await work.settle([toWait(await fixture.claimStage(link, "io"), token)]);
  await overdue();
  return { link, requestId: accepted?.requestId };
}

test("a job whose token nobody resolved runs again, gets the expired token once, and has all its attempts", async () => {
  const { link } = await startOverdue("token");
  expect(await work.reconcile()).toMatchObject({ timedOut: 1 });
  expect(await work.reconcile()).toMatchObject({ timedOut: 0 });
  expect(await findTokens()).toEqual([]);
  const again = await fixture.claimStage(link, "io");
  expect(again).toMatchObject({ epoch: 2, attempts: 0, expiredToken: "token" });
  await work.settle([toEnd(again, {}, { id: "stale" })]);
  // The next run of the job has no expired token: it waited for nothing.
  await work.settle([toEnd(await fixture.claimStage(link, "cpu"))]);
  await work.accept([toCrawl(link)]);
  expect(await fixture.claimStage(link, "io")).toMatchObject({ expiredToken: null });
});

test("it gets the expired token again after a crash or a failed attempt, until it ends or waits again", async () => {
  const { link } = await startOverdue("token");
  await work.reconcile();
  const first = await fixture.claimStage(link, "io");
  const why = { code: "unavailable", message: "away", upstream: null } as const;
  await work.settle([{ ...first, kind: "retry", ...why, delayMs: 0, counts: true }]);
  const second = await fixture.claimStage(link, "io");
  expect(second).toMatchObject({ attempts: 1, expiredToken: "token" });
  await rows("update stage_job set held_until = now() - interval '1 s' where id = $1", [second.id]);
  await work.reconcile();
  const third = await fixture.claimStage(link, "io");
  expect(third).toMatchObject({ attempts: 1, expiredToken: "token" });
  await work.settle([toWait(third, "another")]);
  await overdue();
  await work.reconcile();
  expect(await fixture.claimStage(link, "io")).toMatchObject({ expiredToken: "another" });
});

test("it may wait for the same token once more, and a resolution ends it then", async () => {
  const { link } = await startOverdue("token");
  await work.reconcile();
  await work.settle([toWait(await fixture.claimStage(link, "io"), "token")]);
  expect(await work.resolve([{ token: "token", kind: "done", output: { id: link } }])).toHaveLength(
    1,
  );
  expect(await fixture.claimStage(link, "cpu")).toMatchObject({ stage: "tally" });
});

test("of a resolution and the end of the time, one counts", async () => {
  for (let round = 0; round < 20; round++) {
    const token = newName("token");
    const { link } = await startOverdue(token);
    const [resolved, { timedOut }] = await Promise.all([
      work.resolve([{ token, kind: "done", output: { id: link } }]),
      work.reconcile(),
    ]);
    // The second one may find the row locked and skip it. Both never do.
    expect(resolved.length + timedOut).toBe(1);
    const [row] = await fixture.stagesOf(link);
    expect(row?.state).toBe(timedOut === 1 ? "ready" : "done");
    expect(await findTokens()).toEqual([]);
  }
});

test("a thousand jobs whose time is over run again in one round, and the others in the next", async () => {
  const links = Array.from({ length: 1_200 }, () => newName("page"));
  await work.accept(links.map((link) => toCrawl(link)));
  const jobs = await fixture.claimAll("io");
  await work.settle(jobs.map((job) => toWait(job, job.key)));
  await overdue();
  const rounds = [await work.reconcile(), await work.reconcile(), await work.reconcile()];
  expect(rounds.map(({ timedOut }) => timedOut)).toEqual([1_000, 200, 0]);
  expect(await findTokens()).toEqual([]);
});

test("a token that another job waits for is refused, and ends the job that wants it alone", async () => {
  const keys = ["a", "b", "c", "d"].map(newName);
  const taken = newName("page");
  await work.accept([toCrawl(taken)]);
  await work.settle([toWait(await fixture.claimStage(taken, "io"), "token")]);
  await work.accept(keys.map((key) => toCrawl(key)));
  const tokens = ["own", "token", "twice", "twice"];
  const of = { stage: "list", queue: "io", keys } as const;
  const ends = await runTogether(fixture, of, (key) => {
    return { waitFor: { token: tokens[keys.indexOf(key)] ?? "", timeoutMs: 60_000 } };
  });
  const [waits, refused] = [
    { state: "waiting", code: null },
    { state: "failed", code: "invalid_input" },
  ];
  expect(ends.slice(0, 2)).toEqual([waits, refused]);
  expect(ends.slice(2).toSorted((a, b) => a.state.localeCompare(b.state))).toEqual([
    refused,
    waits,
  ]);
  expect(await findTokens()).toEqual(["own", "token", "twice"]);
  expect(await fixture.stagesOf(taken)).toMatchObject([{ state: "waiting" }]);
});

test("a token is free again when the job that waited for it has moved on", async () => {
  const { requestId } = await startOverdue("token");
  await work.cancel([requestId ?? ""]);
  expect(await findTokens()).toEqual(["token"]);
  const next = newName("page");
  await work.accept([toCrawl(next)]);
  await work.settle([toWait(await fixture.claimStage(next, "io"), "token")]);
  expect(await work.resolve([{ token: "token", kind: "done", output: { id: next } }])).toHaveLength(
    1,
  );
});

test("a latest start that passed while it waited ends it with its request, not before", async () => {
  const link = newName("page");
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  const [accepted] = await work.accept([toCrawl(link, { deadline: soon })]);
  await work.settle([toWait(await fixture.claimStage(link, "io"), "token")]);
  await rows("update stage_job set start_by = now() - interval '1 second'");
  await work.expireDeadlines();
  expect(await fixture.stagesOf(link)).toMatchObject([{ state: "waiting" }]);
  await overdue();
  await work.reconcile();
  // Its request is still open, so the job takes its deadline as latest start.
  await work.expireDeadlines();
  expect(await fixture.claimStage(link, "io")).toMatchObject({ expiredToken: "token" });
  expect(await fixture.requestOf(accepted?.requestId)).toMatchObject({ state: "open" });
});
