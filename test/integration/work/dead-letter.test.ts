import { createDatabase, createDeadLetter, createWorkStore, type Database } from "@clipmill/db";
import type { DeadLetter } from "@clipmill/db";
import type { ClaimedJob, ErrorCode, WorkStore } from "@clipmill/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore;
let dead: DeadLetter;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const onError = () => {};
  database = createDatabase({ url: testDatabase.url, poolSize: 8, name: "test", onError });
  work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
  dead = createDeadLetter(database);
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(() => database.pool.query("truncate stage_job, request, request_stage_job"));

async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await database.pool.query(sql, values)).rows as T[];
}

type Queue = "io" | "gpu" | "llm";

async function claimAll(queue: Queue): Promise<ClaimedJob[]> {
  return work.claim(await work.dispatch(queue, 1_000), "test-worker");
}

async function finish(queue: Queue): Promise<void> {
  await work.settle(
    (await claimAll(queue)).map(({ id, epoch, key }) => {
      const output = { postId: key };
      return { id, epoch, kind: "done" as const, output, records: [], calls: [] };
    }),
  );
}

async function fail(queue: Queue, code: ErrorCode = "corrupt_media"): Promise<void> {
  await work.settle(
    (await claimAll(queue)).map(({ id, epoch }) => {
      return { id, epoch, kind: "failed" as const, code, message: "broken", upstream: "toy" };
    }),
  );
}

const requestOf = async (id: string | undefined) =>
  (await rows<Record<string, unknown>>("select * from request where id = $1", [id]))[0];

describe("the dead letter", () => {
  test("lists a failed job with what is known of it", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await fail("io");
    const { jobs, next } = await dead.list({}, { limit: 10 });
    expect(next).toBeNull();
    expect(jobs).toMatchObject([
      {
        stage: "first",
        queue: "io",
        key: postId,
        tenant: "local",
        lane: "standard",
        code: "corrupt_media",
        message: "broken",
        upstream: "toy",
        attempts: 1,
      },
    ]);
    expect(await dead.find(jobs[0]?.id ?? 0)).toMatchObject({
      input: { postId },
      droppedAt: null,
      requestIds: [accepted?.requestId],
      requestCount: 1,
    });
  });

  test("finds nothing where nothing failed", async () => {
    await work.accept([toSubmission(newPostId())]);
    await finish("io");
    expect(await dead.list({}, { limit: 10 })).toEqual({ jobs: [], next: null });
    const [job] = await rows<{ id: number }>("select id from stage_job where state = 'done'");
    expect(await dead.find(job?.id ?? 0)).toBeNull();
  });

  test("filters by code, stage, tenant and age, alone and together", async () => {
    await work.accept([toSubmission(newPostId(), { tenant: "a" })]);
    await fail("io", "corrupt_media");
    await work.accept([toSubmission(newPostId(), { tenant: "b" })]);
    await fail("io", "too_long");
    await rows("update stage_job set finished_at = now() - interval '2 days' where tenant = 'b'");
    await work.accept([toSubmission(newPostId(), { tenant: "b" })]);
    await finish("io");
    await finish("gpu");
    await fail("llm", "corrupt_media");
    const yesterday = new Date(Date.now() - 86_400_000).toISOString();
    const found = async (filter: Parameters<DeadLetter["list"]>[0]) =>
      (await dead.list(filter, { limit: 10 })).jobs.map((job) => `${job.tenant} ${job.stage}`);
    expect(await found({})).toEqual(["b third", "a first", "b first"]);
    expect(await found({ code: "corrupt_media" })).toEqual(["b third", "a first"]);
    expect(await found({ stage: "first" })).toEqual(["a first", "b first"]);
    expect(await found({ tenant: "b" })).toEqual(["b third", "b first"]);
    expect(await found({ failedBefore: yesterday })).toEqual(["b first"]);
    expect(await found({ failedAfter: yesterday })).toEqual(["b third", "a first"]);
    expect(await found({ tenant: "b", stage: "third", code: "corrupt_media" })).toEqual([
      "b third",
    ]);
    expect(await found({ tenant: "a", stage: "third" })).toEqual([]);
  });

  test("pages without a gap or a double, also where many failed in one instant", async () => {
    await work.accept(Array.from({ length: 25 }, () => toSubmission(newPostId())));
    await fail("io");
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await dead.list({}, { limit: 10, cursor });
      seen.push(...page.jobs.map(({ id }) => id));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(25);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => b - a));
  });

  const encode = (text: string) => Buffer.from(text).toString("base64url");
  test.each([
    "x",
    "",
    "MjAyNg",
    encode("2026-99-99T00:00:00+00:00 1"),
    encode("0000-01-01T00:00:00+00:00 1"),
    encode("2026-01-01T00:00:00+23:00 1"),
  ])("refuses the cursor %j", async (cursor) => {
    await expect(dead.list({}, { limit: 10, cursor })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});

describe("retry", () => {
  test("starts at the failed stage and opens the requests that failed because of it", async () => {
    const postId = newPostId();
    const accepted = await work.accept([toSubmission(postId), toSubmission(postId)]);
    await finish("io");
    await finish("gpu");
    await fail("llm");
    expect(await requestOf(accepted[0]?.requestId)).toMatchObject({ state: "failed" });
    expect(await dead.retry({ filter: {}, limit: 100 })).toEqual({ jobCount: 1, requestCount: 2 });
    for (const { requestId } of accepted) {
      expect(await requestOf(requestId)).toMatchObject({
        state: "open",
        error_code: null,
        finished_at: null,
        retried_at: expect.anything() as unknown,
      });
    }
    expect(await rows("select stage, state, attempts from stage_job order by id")).toEqual([
      { stage: "first", state: "done", attempts: 0 },
      { stage: "second", state: "done", attempts: 0 },
      { stage: "third", state: "ready", attempts: 0 },
    ]);
    await finish("llm");
    for (const { requestId } of accepted)
      expect(await requestOf(requestId)).toMatchObject({ state: "done" });
    expect(await rows("select epoch from stage_job order by id")).toEqual([
      { epoch: 1 },
      { epoch: 1 },
      { epoch: 2 },
    ]);
  });

  test("leaves alone a request that failed at another stage, or was done in spite of the failure", async () => {
    const [early] = await work.accept([toSubmission(newPostId())]);
    await fail("io");
    const [warned] = await work.accept([toSubmission(newPostId())]);
    await finish("io");
    await fail("gpu", "engine_failed");
    await finish("llm");
    expect(await requestOf(warned?.requestId)).toMatchObject({ state: "done" });
    expect(await dead.retry({ filter: { stage: "second" }, limit: 100 })).toEqual({
      jobCount: 1,
      requestCount: 0,
    });
    await finish("gpu");
    expect(await requestOf(warned?.requestId)).toMatchObject({ state: "done", retried_at: null });
    expect(await requestOf(early?.requestId)).toMatchObject({ state: "failed", retried_at: null });
  });

  test("takes the ids that are dead and skips the others", async () => {
    await work.accept([toSubmission(newPostId()), toSubmission(newPostId())]);
    await fail("io");
    await work.accept([toSubmission(newPostId())]);
    const all = await rows<{ id: number; state: string }>("select id, state from stage_job");
    const ids = all.map(({ id }) => id);
    expect(await dead.retry({ ids: [...ids, 999_999_999] })).toMatchObject({ jobCount: 2 });
    expect(await dead.retry({ ids })).toEqual({ jobCount: 0, requestCount: 0 });
  });

  test("takes no more than its limit, the longest dead first", async () => {
    await work.accept(Array.from({ length: 3 }, () => toSubmission(newPostId())));
    await fail("io");
    await rows("update stage_job set finished_at = now() - make_interval(hours => id::int)");
    const newest = (await dead.list({}, { limit: 1 })).jobs[0]?.id;
    expect(await dead.retry({ filter: {}, limit: 2 })).toMatchObject({ jobCount: 2 });
    expect((await dead.list({}, { limit: 10 })).jobs.map(({ id }) => id)).toEqual([newest]);
  });

  test("works through more than one batch", async () => {
    await work.accept(Array.from({ length: 620 }, () => toSubmission(newPostId())));
    await fail("io");
    const retried = await dead.retry({ filter: {}, limit: 1_000 });
    expect(retried).toEqual({ jobCount: 620, requestCount: 620 });
  });

  test("counts each job once when two operators retry at once", async () => {
    await work.accept(Array.from({ length: 100 }, () => toSubmission(newPostId())));
    await fail("io");
    const both = await Promise.all([
      dead.retry({ filter: {}, limit: 1_000 }),
      dead.retry({ filter: {}, limit: 1_000 }),
    ]);
    expect(both.reduce((sum, { jobCount }) => sum + jobCount, 0)).toBe(100);
    expect(both.reduce((sum, { requestCount }) => sum + requestCount, 0)).toBe(100);
  });

  test("lets what killed its worker run alone again, with fresh crash counts", async () => {
    await work.accept([toSubmission(newPostId())]);
    await claimAll("io");
    await rows(
      `update stage_job set state = 'failed', held_until = null, finished_at = now(), lane = 0, crashes = 4,
       quarantine_crashes = 3, error_code = 'poison'`,
    );
    await dead.retry({ filter: { code: "poison" }, limit: 1 });
    expect(await rows("select state, lane, crashes, quarantine_crashes from stage_job")).toEqual([
      { state: "ready", lane: 0, crashes: 0, quarantine_crashes: 0 },
    ]);
  });

  test("makes the requests' cancelled work ready again", async () => {
    const postId = newPostId();
    const [accepted] = await work.accept([toSubmission(postId)]);
    await finish("io");
    await fail("io");
    await rows(
      `update stage_job set state = 'cancelled', run_at = null, finished_at = now() where stage = 'second'`,
    );
    await rows(`update stage_job set state = 'failed' where stage = 'first'`);
    await rows(
      `update request set state = 'failed', failed_stage = 'first', finished_at = now() where id = $1`,
      [accepted?.requestId],
    );
    expect(await dead.retry({ filter: {}, limit: 1 })).toEqual({ jobCount: 1, requestCount: 1 });
    expect(await rows("select state from stage_job")).toEqual([
      { state: "ready" },
      { state: "ready" },
    ]);
  });
});

describe("drop", () => {
  test("takes a job out of the lists and out of reach of retry, and leaves its request failed", async () => {
    const [accepted] = await work.accept([toSubmission(newPostId())]);
    await fail("io");
    const id = (await dead.list({}, { limit: 1 })).jobs[0]?.id ?? 0;
    expect(await dead.drop({ ids: [id] })).toEqual({ jobCount: 1 });
    expect(await dead.drop({ ids: [id] })).toEqual({ jobCount: 0 });
    expect(await dead.list({}, { limit: 1 })).toEqual({ jobs: [], next: null });
    expect(await dead.retry({ ids: [id] })).toEqual({ jobCount: 0, requestCount: 0 });
    expect(await dead.find(id)).toMatchObject({ droppedAt: expect.any(String) as unknown });
    expect(await requestOf(accepted?.requestId)).toMatchObject({ state: "failed" });
  });

  test("forgets the drop when the work is wanted anew and fails again", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId)]);
    await fail("io");
    await dead.drop({ filter: {}, limit: 10 });
    await work.accept([toSubmission(postId)]);
    await fail("io");
    expect((await dead.list({}, { limit: 10 })).jobs).toHaveLength(1);
  });
});
