import type { ClaimedJob, Outcome } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  newName,
  toChild,
  toChildren,
  toCrawl,
  toEnd,
  toWait,
  toyKinds,
} from "../../support/work/toy-kinds.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture(undefined, toyKinds);
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

const ENDING = { endsWithParent: true };

async function accept(link: string, more: Parameters<typeof toCrawl>[1] = {}): Promise<string> {
  const [accepted] = await work.accept([toCrawl(link, more)]);
  return accepted?.requestId ?? "";
}

/** A crawl whose first job has ended and has submitted this. */
async function crawl(submit: NonNullable<Extract<Outcome, { kind: "done" }>["submit"]>) {
  const link = newName("page");
  const id = await accept(link);
  const job = await fixture.claimStage(link, "io");
  await work.settle([toEnd(job, { submit })]);
  return { id, link, job };
}

/** How many of a job's children are in which state. */
async function countChildren({ id }: Pick<ClaimedJob, "id">): Promise<Record<string, number>> {
  const counts = await rows<{ state: string; count: number }>(
    "select state, count(*)::int as count from request where submitted_by = $1 group by state",
    [id],
  );
  return Object.fromEntries(counts.map(({ state, count }) => [state, count]));
}

const endLast = async (link: string, kind: "done" | "failed") => {
  const job = await fixture.claimStage(link, "cpu");
  const why = { code: "internal", message: "broken", upstream: null } as const;
  await work.settle([kind === "done" ? toEnd(job) : { ...job, kind, ...why }]);
};

describe("when the request behind them is cancelled", () => {
  test("those that end with it do, with their jobs and the reason, and the others go on", async () => {
    const { id, job } = await crawl([toChild("a", ENDING), toChild("b"), toChild("c", ENDING)]);
    expect(await work.cancel([id])).toEqual([id]);
    const children = await rows(
      `select input ->> 'to' as to, state, error_message as why from request where submitted_by = $1 order by id`,
      [job.id],
    );
    const ended = { state: "cancelled", why: "the request that submitted this one was ended" };
    const [a, b, c] = [{ to: "a", ...ended }, { to: "b", state: "open", why: null }, { to: "c" }];
    expect(children).toEqual([a, b, { ...c, ...ended }]);
    const jobs = await rows("select key, state from stage_job where stage = 'send' order by key");
    expect(jobs).toEqual([
      { key: "a", state: "cancelled" },
      { key: "b", state: "ready" },
      { key: "c", state: "cancelled" },
    ]);
  });

  test("what has ended stays as it is, and a job that somebody else needs goes on", async () => {
    const { id, job } = await crawl([toChild("a", ENDING), toChild("b", ENDING)]);
    const other = await crawl([toChild("b")]);
    await work.settle([toEnd(await fixture.claimStage("a", "llm"))]);
    await work.cancel([id]);
    expect(await countChildren(job)).toEqual({ done: 1, cancelled: 1 });
    expect(await countChildren(other.job)).toEqual({ open: 1 });
    await work.settle([toEnd(await fixture.claimStage("b", "llm"))]);
    expect(await countChildren(other.job)).toEqual({ done: 1 });
  });

  test("more than a page of them end at once, and those beyond 4,000 later", async () => {
    const { id, job } = await crawl(toChildren("many", 4_300, ENDING));
    await work.cancel([id]);
    expect(await countChildren(job)).toEqual({ cancelled: 4_000, open: 300 });
    expect(await work.endChildren()).toBe(300);
    expect(await countChildren(job)).toEqual({ cancelled: 4_300 });
    expect(await rows("select 1 from children_to_end")).toEqual([]);
    expect(await work.endChildren()).toBe(0);
  });

  test("several parents share each page, and none waits for a big one", async () => {
    const all = [];
    for (const count of [700, 30, 40])
      all.push(await crawl(toChildren(newName("x"), count, ENDING)));
    await work.cancel(all.map(({ id }) => id));
    for (const { job } of all) expect(Object.keys(await countChildren(job))).toEqual(["cancelled"]);
  });

  test("so do theirs, level by level", async () => {
    const toPage = (to: string) => toChild(to, { kind: "crawl", link: to, ...ENDING });
    const { id } = await crawl([toPage("second")]);
    const second = await fixture.claimStage("second", "io");
    await work.settle([toEnd(second, { submit: [toPage("third")] })]);
    const third = await fixture.claimStage("third", "io");
    await work.settle([toEnd(third, { submit: [toChild("a", ENDING), toChild("b")] })]);
    await work.cancel([id]);
    expect(await countChildren(second)).toEqual({ cancelled: 1 });
    expect(await countChildren(third)).toEqual({ cancelled: 1, open: 1 });
  });

  test("so do those of a job that waits", async () => {
    const link = newName("page");
    const id = await accept(link);
    const job = await fixture.claimStage(link, "io");
    await work.settle([toWait(job, "token", { submit: [toChild("a", ENDING)] })]);
    await work.cancel([id]);
    expect(await countChildren(job)).toEqual({ cancelled: 1 });
  });

  test("a cancellation that broke off is continued by any process", async () => {
    const { id, job } = await crawl([toChild("a", ENDING)]);
    await work.cancel([id]);
    await rows("update request set state = 'open', finished_at = null where submitted_by = $1", [
      job.id,
    ]);
    await rows("insert into children_to_end values ($1)", [job.id]);
    const ended = await Promise.all([work.endChildren(), work.endChildren()]);
    expect(ended.toSorted()).toEqual([0, 1]);
  });
});

test("a deadline that was missed ends them as well", async () => {
  const link = newName("page");
  const id = await accept(link, { deadline: "2100-01-01T00:00:00Z" });
  const job = await fixture.claimStage(link, "io");
  const submit = [toChild("a", { ...ENDING, deadline: null }), toChild("b", { deadline: null })];
  await work.settle([toEnd(job, { submit })]);
  await rows("update request set deadline = now() - interval '1 second' where id = $1", [id]);
  expect(await work.expireDeadlines()).toBe(1);
  expect(await work.endChildren()).toBe(1);
  expect(await countChildren(job)).toEqual({ cancelled: 1, open: 1 });
});

describe("of a job that two requests share", () => {
  test("they live while the other one is open, and end with the last", async () => {
    const { id, link, job } = await crawl([toChild("a", ENDING)]);
    const other = await accept(link);
    await work.cancel([id]);
    expect(await work.endChildren()).toBe(0);
    expect(await countChildren(job)).toEqual({ open: 1 });
    await work.cancel([other]);
    expect(await countChildren(job)).toEqual({ cancelled: 1 });
  });

  test("they live where the other one has got its result", async () => {
    const { link, job } = await crawl([toChild("a", ENDING)]);
    await endLast(link, "done");
    // Its second job runs anew: this one is open again and can be cancelled.
    await rows('update stage_job set output = \'{"id": "stale"}\' where key = $1', [link]);
    const other = await accept(link);
    expect(await work.cancel([other])).toEqual([other]);
    expect(await countChildren(job)).toEqual({ open: 1 });
  });

  test("they are submitted and live where one was cancelled before the job ended", async () => {
    const link = newName("page");
    const [id, other] = [await accept(link), await accept(link)];
    const job = await fixture.claimStage(link, "io");
    await work.cancel([id]);
    await work.settle([toEnd(job, { submit: [toChild("a", ENDING)] })]);
    expect(await countChildren(job)).toEqual({ open: 1 });
    await work.cancel([other]);
    expect(await countChildren(job)).toEqual({ cancelled: 1 });
  });

  test("a failure is not an early end: they live on, until whoever else needs them is cancelled", async () => {
    const { link, job } = await crawl([toChild("a", ENDING)]);
    await endLast(link, "failed");
    expect(await work.endChildren()).toBe(0);
    expect(await countChildren(job)).toEqual({ open: 1 });
    await work.cancel([await accept(link)]);
    expect(await countChildren(job)).toEqual({ cancelled: 1 });
  });
});

test("whichever of a result and a cancel comes first, no child outlives its parent", async () => {
  const firsts = new Set<string>();
  for (let round = 0; round < 40; round++) {
    const link = newName("page");
    const id = await accept(link);
    const job = await fixture.claimStage(link, "io");
    const settle = () => work.settle([toEnd(job, { submit: toChildren(link, 5, ENDING) })]);
    // The one that asks first for its connection is mostly the first to lock the job.
    const acts =
      round % 2 === 0 ? [settle, () => work.cancel([id])] : [() => work.cancel([id]), settle];
    await Promise.all(acts.map((act) => act()));
    await work.endChildren();
    const counts = await countChildren(job);
    const isFenced = Object.keys(counts).length === 0;
    expect(counts).toEqual(isFenced ? {} : { cancelled: 5 });
    expect(await rows("select state from request where id = $1", [id])).toEqual([
      { state: "cancelled" },
    ]);
    firsts.add(isFenced ? "cancel" : "settle");
  }
  expect([...firsts].toSorted()).toEqual(["cancel", "settle"]);
});
