import { armFailpoints, type Failpoint, type Resolution } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  newName,
  toChild,
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

afterEach(async () => {
  armFailpoints(null);
  await fixture[Symbol.asyncDispose]();
});

/** So many crawls whose first job waits; a token each. */
async function startWaiting(count = 1, more: Parameters<typeof toCrawl>[1] = {}) {
  const links = Array.from({ length: count }, () => newName("page"));
  const accepted = await work.accept(links.map((link) => toCrawl(link, more)));
  const jobs = await fixture.claimAll("io");
  await work.settle(jobs.map((job) => toWait(job, `token of ${job.key}`)));
  const requestIds = accepted.map(({ requestId }) => requestId);
  return {
    links,
    link: links[0] ?? "",
    jobs,
    requestIds,
    tokens: links.map((l) => `token of ${l}`),
  };
}

const toOutput = (token: string): Resolution => {
  return { token, kind: "done", output: { id: token } };
};

const jobOf = async (key: string) =>
  (
    await rows<Record<string, unknown>>(
      "select * from stage_job where key = $1 and stage = 'list'",
      [key],
    )
  )[0];

const countWaits = async () => (await rows("select 1 from stage_wait")).length;

const overdue = () => rows("update stage_wait set expires_at = now() - interval '1 second'");

function breakAt(point: Failpoint): void {
  armFailpoints((reached) => {
    if (reached !== point) return;
    armFailpoints(null);
    throw new Error("broken off");
  });
}

describe("a job that waits", () => {
  test("has no worker, no hint and no lease, and has spent no attempt", async () => {
    const { link } = await startWaiting();
    const idle = { state: "waiting", worker_id: null, run_at: null, in_flight: false };
    expect(await jobOf(link)).toMatchObject({ ...idle, attempts: 0, epoch: 1, error_code: null });
    expect(await fixture.claimAll("io")).toEqual([]);
    await rows("update stage_job set held_until = now() - interval '1 hour'");
    expect(await work.reconcile()).toEqual({ requeued: 0, expired: 0, poisoned: 0, timedOut: 0 });
    expect(await work.requeueAll()).toBe(0);
    expect(await jobOf(link)).toMatchObject(idle);
  });

  test("counts towards no window and no tenant's cap", async () => {
    await rows("insert into tenant (id, max_in_flight) values ('local', 2)");
    await startWaiting(2);
    await work.accept([1, 2, 3].map(() => toCrawl(newName("page"))));
    expect(await work.dispatch("io", 2)).toHaveLength(2);
  });

  test("is under way for those who ask, and for a request that joins it", async () => {
    const { link, tokens } = await startWaiting();
    const [joined] = await work.accept([toCrawl(link)]);
    expect(joined).toMatchObject({ created: true, state: "open" });
    expect(await work.resolve(tokens.map(toOutput))).toHaveLength(1);
    await work.settle([toEnd(await fixture.claimStage(link, "cpu"))]);
    expect(await fixture.requestOf(joined?.requestId)).toMatchObject({ state: "done" });
  });

  test("may not be extended or settled by whoever let it wait", async () => {
    const { jobs } = await startWaiting();
    expect(await work.extend(jobs)).toEqual([]);
    const outcomes = jobs.map((job) => toEnd(job, { submit: [toChild("late")] }));
    expect((await work.settle(outcomes)).fenced).toHaveLength(1);
    expect(await rows("select 1 from request where submitted_by is not null")).toEqual([]);
  });

  test.each(["cancel", "deadline"] as const)("ends with its request: %s", async (how) => {
    const deadline = "2100-01-01T00:00:00Z";
    const { link, tokens, requestIds } = await startWaiting(1, { deadline });
    if (how === "cancel") await work.cancel(requestIds);
    else {
      await rows("update request set deadline = now() - interval '1 second'");
      expect(await work.expireDeadlines()).toBe(1);
    }
    expect(await jobOf(link)).toMatchObject({ state: "cancelled", held_until: null, epoch: 2 });
    expect(await work.resolve(tokens.map(toOutput))).toEqual([]);
    await overdue();
    expect(await work.reconcile()).toMatchObject({ timedOut: 0 });
    expect(await countWaits()).toBe(0);
    expect(await jobOf(link)).toMatchObject({ state: "cancelled" });
  });
});

describe("a resolution", () => {
  test("ends it with an output or a failure, and plans on", async () => {
    const { links, tokens, requestIds } = await startWaiting(2);
    const why = { code: "upstream_unavailable", message: "the batch failed" } as const;
    const [good = "", bad = ""] = tokens;
    const refs = await work.resolve([toOutput(good), { token: bad, kind: "failed", ...why }]);
    expect(refs).toHaveLength(2);
    expect(await jobOf(links[0] ?? "")).toMatchObject({ state: "done", output: { id: good } });
    const failed = { state: "failed", error_code: why.code, error_message: why.message };
    expect(await jobOf(links[1] ?? "")).toMatchObject({ ...failed, attempts: 1 });
    expect(await fixture.claimStage(links[0] ?? "", "cpu")).toMatchObject({ stage: "tally" });
    expect(await fixture.requestOf(requestIds[1])).toMatchObject({ state: "failed" });
    expect(await countWaits()).toBe(0);
  });

  test("takes a thousand at once", async () => {
    const { tokens, requestIds } = await startWaiting(1_000);
    expect(await work.resolve(tokens.map(toOutput))).toHaveLength(1_000);
    const next = await fixture.claimAll("cpu");
    expect(next).toHaveLength(1_000);
    await work.settle(next.map((job) => toEnd(job)));
    const open = await rows("select 1 from request where id = any ($1) and state = 'open'", [
      requestIds,
    ]);
    expect(open).toEqual([]);
  });

  test("that comes twice, in one list, later or at the same moment, counts once: the first", async () => {
    const { links, tokens } = await startWaiting(2);
    const [token = "", raced = ""] = tokens;
    const other = { token, kind: "done", output: { id: "other" } } as const;
    expect(await work.resolve([toOutput(token), other])).toHaveLength(1);
    expect(await work.resolve([other])).toEqual([]);
    expect(await jobOf(links[0] ?? "")).toMatchObject({ output: { id: token } });
    const ends = await Promise.all([1, 2, 3, 4].map(() => work.resolve([toOutput(raced)])));
    expect(ends.flat()).toHaveLength(1);
    expect(await rows("select 1 from stage_job where stage = 'tally'")).toHaveLength(2);
  });

  test("of a token that nobody waits for, or not yet, changes nothing", async () => {
    const { link } = await startWaiting();
    expect(await work.resolve([toOutput("unknown"), toOutput("token of a later one")])).toEqual([]);
    expect(await jobOf(link)).toMatchObject({ state: "waiting" });
    expect(await work.resolve([])).toEqual([]);
  });

  test("changes nothing where the job waited for it in an earlier epoch", async () => {
    const { link, tokens } = await startWaiting();
    await overdue();
    await work.reconcile();
    const again = await fixture.claimStage(link, "io");
    expect(await work.resolve(tokens.map(toOutput))).toEqual([]);
    await work.settle([toWait(again, "another")]);
    expect(await work.resolve(tokens.map(toOutput))).toEqual([]);
    // As a program would leave it that lost the row of the wait and not the wait.
    await rows("insert into stage_wait values ('old', $1, 1, now())", [again.id]);
    expect(await work.resolve([toOutput("old")])).toEqual([]);
    expect(await jobOf(link)).toMatchObject({ state: "waiting", epoch: 2 });
  });

  test("changes nothing where the job was cancelled and asked for anew meanwhile", async () => {
    const { link, tokens, requestIds } = await startWaiting();
    await work.cancel(requestIds);
    await work.accept([toCrawl(link)]);
    expect(await work.resolve(tokens.map(toOutput))).toEqual([]);
    const again = await fixture.claimStage(link, "io");
    expect(again.expiredToken).toBeNull();
    // The same token is free again: nobody waits for it.
    await work.settle(tokens.map((token) => toWait(again, token)));
    expect(await work.resolve(tokens.map(toOutput))).toHaveLength(1);
  });

  test("that breaks off changes nothing, and one whose answer was lost changes it once", async () => {
    const { tokens, link } = await startWaiting();
    breakAt("in-resolve");
    await expect(work.resolve(tokens.map(toOutput))).rejects.toThrow("broken off");
    expect(await jobOf(link)).toMatchObject({ state: "waiting" });
    breakAt("after-resolve");
    await expect(work.resolve(tokens.map(toOutput))).rejects.toThrow("broken off");
    expect(await work.resolve(tokens.map(toOutput))).toEqual([]);
    expect(await rows("select 1 from stage_job where stage = 'tally'")).toHaveLength(1);
  });
});

describe("a resolution inside a settlement", () => {
  test("counts with it, also of a job that begins to wait in the same batch", async () => {
    const { tokens, links } = await startWaiting();
    await work.accept([toCrawl("waits"), toCrawl("resolves")]);
    const [waits, resolves] = [
      await fixture.claimStage("waits", "io"),
      await fixture.claimStage("resolves", "io"),
    ];
    const resolve = [...tokens, "batch"].map(toOutput);
    await work.settle([toEnd(resolves, { resolve }), toWait(waits, "batch")]);
    const next = await fixture.claimAll("cpu");
    expect(next.map(({ key }) => key).toSorted()).toEqual(
      [...links, "resolves", "waits"].toSorted(),
    );
  });

  test("changes nothing where its job is no longer the caller's", async () => {
    const { tokens, link } = await startWaiting();
    await work.accept([toCrawl("resolves")]);
    const zombie = await fixture.claimStage("resolves", "io");
    await rows("update stage_job set held_until = now() - interval '1 s' where id = $1", [
      zombie.id,
    ]);
    await work.reconcile();
    const outcome = toEnd(zombie, { resolve: tokens.map(toOutput) });
    expect((await work.settle([outcome])).fenced).toHaveLength(1);
    const heir = await fixture.claimStage("resolves", "io");
    expect((await work.settle([outcome, toEnd(heir)])).fenced).toHaveLength(1);
    expect(await jobOf(link)).toMatchObject({ state: "waiting" });
  });
});
