import { grantCredits } from "@clipmill/db";
import { armFailpoints, type Failpoint } from "@clipmill/domain";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { runTogether } from "../../support/work/run-together.ts";
import {
  newName,
  toChild,
  toChildren,
  toCrawl,
  toEnd,
  toKind,
  toWait,
  toyKinds,
} from "../../support/work/toy-kinds.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];
let requestOf: WorkFixture["requestOf"];

beforeAll(async () => {
  fixture = await openWorkFixture(undefined, toyKinds);
  ({ work, rows, requestOf } = fixture);
});

afterEach(() => armFailpoints(null));
afterAll(() => fixture[Symbol.asyncDispose]());

/** A crawl whose first job is claimed. */
async function startCrawl(more: Parameters<typeof toCrawl>[1] = {}) {
  const link = newName("page");
  const [accepted] = await work.accept([toCrawl(link, more)]);
  return { link, requestId: accepted?.requestId, job: await fixture.claimStage(link, "io") };
}

const childrenOf = (jobId: number) =>
  rows<Record<string, unknown>>(
    `select r.*, r.deadline::text, r.input ->> 'to' as to, r.ends_with_parent as "endsWithParent"
     from request r where submitted_by = $1 order by id`,
    [jobId],
  );

const findTargets = async (jobId: number) => (await childrenOf(jobId)).map(({ to }) => to);

/** Ends the transaction, or the process, at this point, once. */
function breakAt(point: Failpoint): void {
  armFailpoints((reached) => {
    if (reached !== point) return;
    armFailpoints(null);
    throw new Error("broken off");
  });
}

describe("what a stage submits", () => {
  test("is accepted with its result, in the order of the list, and runs", async () => {
    const { job, link } = await startCrawl();
    await work.settle([toEnd(job, { submit: toChildren(link, 3, { endsWithParent: true }) })]);
    const known = { kind: "delivery", state: "open", tenant: "local", endsWithParent: true };
    expect(await childrenOf(job.id)).toMatchObject(
      [0, 1, 2].map((i) => ({ ...known, to: `${link}-${i}` })),
    );
    const sent = await fixture.claimAll("llm");
    expect(sent.map(({ key }) => key).toSorted()).toEqual([0, 1, 2].map((i) => `${link}-${i}`));
    await work.settle(sent.map((each) => toEnd(each)));
    expect(await childrenOf(job.id)).toMatchObject([0, 1, 2].map(() => ({ state: "done" })));
  });

  test("is accepted with a wait as well, and again at the end only under keys of its own", async () => {
    const { job } = await startCrawl();
    const token = newName("token");
    await work.settle([toWait(job, token, { submit: [toChild("a")], timeoutMs: 1 })]);
    await rows("update stage_wait set expires_at = now() - interval '1 second'");
    await work.reconcile();
    const again = await fixture.claimStage(job.key, "io");
    await work.settle([toEnd(again, { submit: [toChild("b"), toChild("c", { key: "last" })] })]);
    expect(await findTargets(job.id)).toEqual(["a", "c"]);
  });

  test("is not accepted at all where the settlement breaks off, and once when it comes again", async () => {
    const { job, link } = await startCrawl();
    const outcome = toEnd(job, { submit: toChildren(link, 2) });
    breakAt("in-settle");
    await expect(work.settle([outcome])).rejects.toThrow("broken off");
    expect(await childrenOf(job.id)).toEqual([]);
    expect(await fixture.stagesOf(link)).toMatchObject([{ state: "running" }]);
    await work.settle([outcome]);
    expect(await findTargets(job.id)).toHaveLength(2);
  });

  test("is accepted once where the answer to the settlement was lost", async () => {
    const { job, link } = await startCrawl();
    const outcome = toEnd(job, { submit: toChildren(link, 2) });
    breakAt("after-settle");
    await expect(work.settle([outcome])).rejects.toThrow("broken off");
    const { fenced } = await work.settle([outcome]);
    expect(fenced).toHaveLength(1);
    expect(await findTargets(job.id)).toHaveLength(2);
  });

  test("is accepted once where one epoch is settled twice, at once or in one batch", async () => {
    const [one, two] = [await startCrawl(), await startCrawl()];
    const toOutcome = ({ job, link }: typeof one, run: string) =>
      toEnd(job, { submit: [toChild(`${link} ${run}`, { key: run })] });
    const ends = await Promise.all(
      ["a", "b", "c"].map((run) => work.settle([toOutcome(one, run)])),
    );
    expect(ends.flatMap(({ fenced }) => fenced)).toHaveLength(2);
    expect(await findTargets(one.job.id)).toHaveLength(1);
    const { fenced } = await work.settle(["a", "b"].map((run) => toOutcome(two, run)));
    expect(fenced).toHaveLength(1);
    expect(await findTargets(two.job.id)).toEqual([`${two.link} a`]);
  });

  test("is dropped with a worker whose lease ran out, also where it settles in one batch with its heir", async () => {
    const { job: zombie, link } = await startCrawl();
    await rows("update stage_job set held_until = now() - interval '1 s' where id = $1", [
      zombie.id,
    ]);
    await work.reconcile();
    const heir = await fixture.claimStage(link, "io");
    const { fenced } = await work.settle([
      toEnd(zombie, { submit: [toChild("zombie's", { key: "z" })] }),
      toEnd(heir, { submit: [toChild("heir's", { key: "h" })] }),
    ]);
    expect(fenced).toEqual([{ id: zombie.id, epoch: zombie.epoch }]);
    expect(await findTargets(zombie.id)).toEqual(["heir's"]);
  });

  test("is accepted once where the job runs again, but for what is new", async () => {
    const { job, link } = await startCrawl();
    await work.settle([toEnd(job, { submit: toChildren(link, 2) }, { id: "stale" })]);
    await work.settle([toEnd(await fixture.claimStage(link, "cpu"))]);
    await work.accept([toCrawl(link)]);
    const again = await fixture.claimStage(link, "io");
    expect(again.id).toBe(job.id);
    await work.settle([toEnd(again, { submit: toChildren(link, 3) })]);
    expect(await findTargets(job.id)).toEqual([0, 1, 2].map((i) => `${link}-${i}`));
  });

  test("is identified by its key, which is never taken for a place", async () => {
    const { job } = await startCrawl();
    const keyed = [toChild("a"), toChild("b", { key: "0" }), toChild("c", { key: "0" })];
    await work.settle([toEnd(job, { submit: keyed })]);
    expect(await findTargets(job.id)).toEqual(["a", "b"]);
  });

  test("may submit again, three levels deep", async () => {
    const { job, link } = await startCrawl();
    const toPage = (to: string) => toChild(to, { kind: "crawl", link: to });
    await work.settle([toEnd(job, { submit: [toPage(`${link} 2`)] })]);
    const second = await fixture.claimStage(`${link} 2`, "io");
    await work.settle([toEnd(second, { submit: [toPage(`${link} 3`)] })]);
    const third = await fixture.claimStage(`${link} 3`, "io");
    await work.settle([toEnd(third, { submit: [toChild(link)] })]);
    expect(await fixture.claimStage(link, "llm")).toMatchObject({ stage: "send" });
  });

  test("may be five hundred requests at once", async () => {
    const { job, link } = await startCrawl();
    await work.settle([toEnd(job, { submit: toChildren(link, 500) })]);
    expect(await findTargets(job.id)).toHaveLength(500);
  });
});

describe("a submitted request inherits", () => {
  test("from the best-placed request behind the job, and its deadline from the last one", async () => {
    const link = newName("page");
    await work.accept([
      toCrawl(link, { tenant: "slow", lane: "backfill", deadline: "2101-01-01T00:00:00Z" }),
    ]);
    await work.accept([
      toCrawl(link, { tenant: "fast", lane: "interactive", deadline: "2100-01-01T00:00:00Z" }),
    ]);
    const job = await fixture.claimStage(link, "io");
    await work.settle([toEnd(job, { submit: [toChild(link)] })]);
    const [child] = await childrenOf(job.id);
    expect(child).toMatchObject({ tenant: "fast", lane: 1 });
    expect(Date.parse(String(child?.["deadline"]))).toBe(Date.parse("2101-01-01T00:00:00Z"));
  });

  test("no deadline where one of the requests has none, and nothing that the stage says itself", async () => {
    const { job, link } = await startCrawl({ lane: "interactive" });
    const own = { tenant: "other", lane: "backfill", deadline: "2100-01-01T00:00:00Z" } as const;
    await work.settle([toEnd(job, { submit: [toChild(link), toChild(link, own)] })]);
    const [plain, other] = await childrenOf(job.id);
    expect(plain).toMatchObject({ tenant: "local", lane: 1, deadline: null });
    expect(other).toMatchObject({ tenant: "other", lane: 3 });
    expect(other?.["deadline"]).not.toBeNull();
  });

  test("no deadline of the job's where the stage wants none", async () => {
    const { job } = await startCrawl({ deadline: "2100-01-01T00:00:00Z" });
    await work.settle([toEnd(job, { submit: [toChild("x"), toChild("y", { deadline: null })] })]);
    const [inherited, none] = await childrenOf(job.id);
    expect(inherited?.["deadline"]).not.toBeNull();
    expect(none?.["deadline"]).toBeNull();
  });

  test("a lane of callers from a job that runs alone", async () => {
    const { job, link } = await startCrawl();
    await rows("update stage_job set held_until = now() - interval '1 s' where id = $1", [job.id]);
    await work.reconcile();
    const alone = await fixture.claimStage(link, "io");
    expect(alone.lane).toBe("quarantine");
    await work.settle([toEnd(alone, { submit: [toChild(link)] })]);
    expect(await childrenOf(job.id)).toMatchObject([{ lane: 2 }]);
  });
});

describe("a request that cannot be accepted", () => {
  test("fails the job that submits it and none that is stored with it", async () => {
    await grantCredits(fixture.database.pool, "poor", 5);
    const dear = toChild("dear", { tenant: "poor", credits: 6 });
    const cheap = toChild("cheap", { tenant: "poor", credits: 5 });
    const unknown = toChild("unknown", { kind: "painting" });
    const long = toChild("long", { key: Array.from({ length: 9_000 }, Math.random).join() });
    const submits = [[toChild("a")], [dear], [unknown, cheap], [long], [cheap]];
    const keys = submits.map(() => newName("page"));
    await work.accept(keys.map((key) => toCrawl(key)));
    const of = { stage: "list", queue: "io", keys } as const;
    const ends = await runTogether(fixture, of, (key) => {
      return { output: { id: key }, submit: submits[keys.indexOf(key)] ?? [] };
    });
    expect(ends).toEqual([
      { state: "done", code: null },
      { state: "failed", code: "insufficient_credits" },
      { state: "failed", code: "invalid_request" },
      { state: "failed", code: "bad_response" },
      { state: "done", code: null },
    ]);
    const held = await rows("select available, held from tenant where id = 'poor'");
    expect(held).toEqual([{ available: 0, held: 5 }]);
  });

  test("ends as failed itself where its plan cannot be made", async () => {
    const { job } = await startCrawl();
    await work.settle([toEnd(job, { submit: [toChild("x", { input: 7 }), toChild("y")] })]);
    expect(await childrenOf(job.id)).toMatchObject([
      { state: "failed", failed_stage: "plan", error_code: "internal" },
      { state: "open" },
    ]);
    const [own] = await work.accept([toKind("delivery", "z", { input: 7 })]);
    expect(own).toMatchObject({ state: "failed" });
    expect(await requestOf(own?.requestId)).toMatchObject({ failed_stage: "plan" });
  });
});
