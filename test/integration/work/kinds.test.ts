import { createListener, createRequestReader, createWorkStore } from "@clipmill/db";
import type { ClaimedJob, WorkStore } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { newName, toCrawl, toEnd, toKind, toyKinds } from "../../support/work/toy-kinds.ts";
import { newPostId, toSubmission, toyPipelines } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];
let requestOf: WorkFixture["requestOf"];

beforeEach(async () => {
  fixture = await openWorkFixture(undefined, toyKinds);
  ({ work, rows, requestOf } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

/** A program of another version, which knows posts only. */
const openOther = (): WorkStore =>
  createWorkStore(fixture.database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });

async function accept(...submissions: Parameters<WorkStore["accept"]>[0]): Promise<string[]> {
  return (await work.accept(submissions)).map(({ requestId }) => requestId);
}

describe("a request of another kind", () => {
  test("goes through its own pipeline, with what it is about and its input as they came", async () => {
    const [to, link] = [newName("to"), 'https://example.org/"hook"'];
    const input = { to, note: "a\nb" };
    const [id] = await accept(toKind("delivery", link, { input }));
    expect(await requestOf(id)).toMatchObject({ kind: "delivery", link, input, post_id: null });
    const job = await fixture.claimStage(to, "llm");
    expect(job).toMatchObject({ stage: "send", input: { id: to } });
    await work.settle([toEnd(job)]);
    expect(await requestOf(id)).toMatchObject({ state: "done", post_id: null, artifacts: {} });
  });

  test("is planned from the stored row at each step, beside those of other kinds in one batch", async () => {
    const [link, postId] = [newName("page"), newPostId()];
    const [crawl, post] = await accept(toCrawl(link), toSubmission(postId));
    const jobs = await fixture.claimAll("io");
    await work.settle(jobs.map((job) => (job.stage === "list" ? toEnd(job) : toDone(job, postId))));
    expect(await fixture.claimStage(link, "cpu")).toMatchObject({
      stage: "tally",
      input: { id: link },
    });
    expect(await fixture.claimStage(postId, "gpu")).toMatchObject({ stage: "second" });
    expect(await requestOf(crawl)).toMatchObject({ kind: "crawl" });
    expect(await requestOf(post)).toMatchObject({ kind: "post", input: null });
  });

  test("conflicts under one key with another input or kind, and repeats with the same", async () => {
    const submission = toKind("delivery", "x", { input: { to: "a" }, idempotencyKey: "key" });
    await accept(submission);
    const again = await work.accept([
      submission,
      { ...submission, input: { to: "b" } },
      { ...submission, kind: "crawl" },
    ]);
    expect(again.map(({ state }) => state)).toEqual(["open", "conflict", "conflict"]);
  });

  test("is refused as a whole batch where no pipeline is of its kind", async () => {
    const batch = [toCrawl(newName("page")), toKind("painting", "x")];
    await expect(work.accept(batch)).rejects.toMatchObject({
      code: "invalid_request",
      entry: { status: 400 },
      message: "there is no pipeline for requests of the kind painting",
    });
    expect(await rows("select 1 from request")).toEqual([]);
  });
});

describe("a program that does not know the kind", () => {
  test("ends its job and leaves it open, with all else in the batch planned on, and one that knows it goes on", async () => {
    const [link, postId] = [newName("page"), newPostId()];
    const [id = ""] = await accept(toCrawl(link), toSubmission(postId));
    const other = openOther();
    const jobs = await fixture.claimAll("io");
    await other.settle(
      jobs
        .map((job) => toDone(job, job.key))
        .map((end, i) => ({ ...end, output: { id: jobs[i]?.key, postId } }) as typeof end),
    );
    expect(await fixture.claimStage(postId, "gpu")).toMatchObject({ stage: "second" });
    expect(await requestOf(id)).toMatchObject({ state: "open" });
    expect(await other.replanStranded()).toEqual({ replanned: [], left: [id] });
    expect(await work.replanStranded()).toEqual({ replanned: [id], left: [] });
    expect(await work.replanStranded()).toEqual({ replanned: [], left: [] });
    await work.settle([toEnd(await fixture.claimStage(link, "cpu"))]);
    expect(await requestOf(id)).toMatchObject({ state: "done" });
  });

  test("may cancel it all the same", async () => {
    const [id = ""] = await accept(toCrawl(newName("page")));
    expect(await openOther().cancel([id])).toEqual([id]);
    expect(await rows("select state from stage_job")).toEqual([{ state: "cancelled" }]);
  });
});

describe("open requests without an open job", () => {
  /** Leaves them as a bug would: the next step was not stored. */
  async function strand(): Promise<string> {
    const link = newName("page");
    const [id = ""] = await accept(toCrawl(link));
    await rows(
      `update stage_job set state = 'done', output = '{"id": "x"}', run_at = null, finished_at = now() where key = $1`,
      [link],
    );
    return id;
  }

  test("are found in rounds of some thousand requests, and around again", async () => {
    await rows(
      `insert into request (id, tenant, link, options_id, lane, state, finished_at)
       select 'job_' || lpad(n::text, 26, '0'), 'local', 'x', 1, 2, 'done', now() from generate_series(1, 5000) n`,
    );
    const id = await strand();
    const found = [];
    for (let round = 0; round < 2; round++) found.push(await work.replanStranded());
    expect(found.map(({ replanned }) => replanned)).toEqual([[], [id]]);
    const later = await strand();
    expect((await work.replanStranded()).replanned).toEqual([]);
    expect((await work.replanStranded()).replanned).toEqual([later]);
  });

  test("are planned once, however many look, and left alone while they wait or have ended", async () => {
    const ids = [await strand(), await strand()];
    const stores = [work, work, work];
    await Promise.all(stores.map((each) => each.replanStranded()));
    const jobs = await rows("select state from stage_job where stage = 'tally'");
    expect(jobs).toEqual([{ state: "ready" }, { state: "ready" }]);
    await work.cancel(ids.slice(1));
    const link = newName("page");
    await accept(toCrawl(link));
    await work.settle([
      {
        ...(await fixture.claimStage(link, "io")),
        kind: "waiting",
        token: "t",
        timeoutMs: 60_000,
        records: [],
        calls: [],
      },
    ]);
    expect(await work.replanStranded()).toEqual({ replanned: [], left: [] });
  });
});

describe("a stage that stands several times", () => {
  const ask = (words: string[], more = {}) =>
    toKind("answers", newName("text"), { input: { words }, ...more });
  const toWord = ({ key }: Pick<ClaimedJob, "key">) => key.split(" ").at(-1) ?? "";
  const fail = { code: "engine_failed", message: "crashed", upstream: null } as const;

  async function findView(id: string | undefined) {
    const listener = createListener({ url: fixture.database.url, onError() {} });
    onTestFinished(() => listener.close());
    return await createRequestReader(fixture.database, listener).findRequest(id ?? "");
  }

  test("runs once for each, and the reader tells them apart with what each has cost", async () => {
    const [id] = await accept(ask(["de", "en", "fr"]));
    const jobs = await fixture.claimAll("gpu");
    expect(jobs.map(toWord).toSorted()).toEqual(["de", "en", "fr"]);
    expect((await findView(id))?.stages.map(({ name }) => name).toSorted()).toEqual([
      "ask.de",
      "ask.en",
      "ask.fr",
    ]);
    const calls = await work.open(jobs.map((job) => ({ job, engine: "e", estimateUsd: 1 })));
    await work.settle(
      jobs.map((job, i) =>
        toWord(job) === "fr"
          ? { ...job, kind: "failed", ...fail }
          : ({
              ...toEnd(job, {}, { id: toWord(job) }),
              calls: [{ callId: calls[i] ?? 0, usd: 0.25 }],
            } as ReturnType<typeof toEnd>),
      ),
    );
    await work.settle([toEnd(await fixture.claimStage("de=de,en=en", "cpu"))]);
    const warning = { stage: "ask", code: fail.code, message: fail.message };
    expect(await requestOf(id)).toMatchObject({ state: "done", warnings: [warning] });
    const view = await findView(id);
    expect(view?.stages).toHaveLength(4);
    // The failed call may have been billed, so its entry stays at the estimate.
    expect(view?.cost).toEqual({
      usd: 1.5,
      by_stage: { "ask.de": 0.25, "ask.en": 0.25, "ask.fr": 1 },
    });
  });

  test("shares a variant's job with whoever asks for the same, and ends at once where all are stored", async () => {
    const first = ask(["de", "en"]);
    const [id] = await accept(first);
    await work.settle((await fixture.claimAll("gpu")).map((job) => toEnd(job, {}, { id: "x" })));
    await work.settle([toEnd(await fixture.claimStage("de=x,en=x", "cpu"))]);
    expect(await work.accept([first])).toMatchObject([{ state: "done" }]);
    const [more] = await accept({ ...first, input: { words: ["de", "fr"] } });
    expect((await fixture.claimAll("gpu")).map(toWord)).toEqual(["fr"]);
    expect(await requestOf(id)).toMatchObject({ state: "done", cached: false });
    expect((await findView(more))?.stages).toHaveLength(2);
  });

  test.each(["done", "stale", "failed"])(
    "may be one job in two variants that ends %s, once",
    async (end) => {
      const [id] = await accept(ask(["de", "DE"]));
      const [job, ...others] = await fixture.claimAll("gpu");
      if (job === undefined) throw new Error("not claimed");
      expect(others).toEqual([]);
      await work.settle([
        end === "failed" ? { ...job, kind: "failed", ...fail } : toEnd(job, {}, { id: end }),
      ]);
      // If the second variant could make it run again, it would run for ever.
      expect(await fixture.claimAll("gpu")).toEqual([]);
      const bound = end === "failed" ? "" : `DE=${end},de=${end}`;
      await work.settle([toEnd(await fixture.claimStage(bound, "cpu"))]);
      const row = await requestOf(id);
      expect(row).toMatchObject({ state: "done" });
      expect(row?.["warnings"] ?? []).toHaveLength(end === "failed" ? 2 : 0);
    },
  );

  test("is left out where none is asked for", async () => {
    await accept(ask([]));
    expect(await fixture.claimStage("", "cpu")).toMatchObject({ stage: "bind" });
  });
});
