import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { Outcome, WorkStore } from "@clipmill/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({
    url: testDatabase.url,
    poolSize: 8,
    name: "test",
    onError: () => {},
  });
  work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: 30_000,
    queuedForMs: 60_000,
  });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  await database.pool.query("truncate request, request_stage_job, stage_job, tenant");
});

async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await database.pool.query(sql, values)).rows as T[];
}

/** Runs all ready jobs through their stages. `outcome` may return another outcome than done. */
async function runAll(outcome?: (stage: string) => Partial<Outcome> | undefined): Promise<void> {
  for (const queue of ["io", "gpu", "llm"] as const) {
    const jobs = await work.claim(await work.dispatch(queue, 1_000), "test");
    await work.settle(
      jobs.map(
        (job) =>
          ({
            id: job.id,
            epoch: job.epoch,
            kind: "done",
            output: job.input,
            records: [],
            calls: [],
            ...outcome?.(job.stage),
          }) as Outcome,
      ),
    );
  }
}

describe("cancel", () => {
  test("stops work that nobody else needs, and fences whoever runs it", async () => {
    const [accepted] = await work.accept([toSubmission(newPostId())]);
    const [job] = await work.claim(await work.dispatch("io", 10), "test");
    if (job === undefined) throw new Error("not claimed");
    expect(await work.cancel([accepted?.requestId ?? ""])).toEqual([accepted?.requestId]);
    expect(await work.extend([job])).toEqual([]);
    const outcome: Outcome = {
      id: job.id,
      epoch: job.epoch,
      kind: "done",
      output: job.input,
      records: [],
      calls: [],
    };
    expect((await work.settle([outcome])).fenced).toHaveLength(1);
    expect(await rows("select state from stage_job")).toEqual([{ state: "cancelled" }]);
    expect(await work.cancel([accepted?.requestId ?? ""])).toEqual([]);
  });

  test("leaves shared work to the others, in their lane", async () => {
    const postId = newPostId();
    const [urgent] = await work.accept([toSubmission(postId, { lane: "interactive" })]);
    await work.accept([toSubmission(postId, { lane: "backfill" })]);
    await work.cancel([urgent?.requestId ?? ""]);
    expect(await rows("select state, lane from stage_job")).toEqual([{ state: "ready", lane: 3 }]);
    await runAll();
    expect(await rows("select state from request order by id")).toEqual([
      { state: "cancelled" },
      { state: "done" },
    ]);
  });

  test("is undone by a new request for the same post", async () => {
    const postId = newPostId();
    const [first] = await work.accept([toSubmission(postId)]);
    await work.cancel([first?.requestId ?? ""]);
    await work.accept([toSubmission(postId)]);
    await runAll();
    expect(await rows("select state from request order by id")).toEqual([
      { state: "cancelled" },
      { state: "done" },
    ]);
  });
});

describe("deadlines", () => {
  const past = () => new Date(Date.now() - 1_000).toISOString();
  const future = () => new Date(Date.now() + 3_600_000).toISOString();

  test("keep work from starting that nobody would take, and say so", async () => {
    const [late] = await work.accept([toSubmission(newPostId(), { deadline: past() })]);
    expect(await work.dispatch("io", 10)).toEqual([]);
    expect(await work.expireDeadlines()).toBe(1);
    expect(
      await rows("select state, error_code from request where id = $1", [late?.requestId]),
    ).toEqual([{ state: "failed", error_code: "deadline_missed" }]);
    expect(await rows("select state from stage_job")).toEqual([{ state: "cancelled" }]);
  });

  test("of one caller do not end what another waits for", async () => {
    const postId = newPostId();
    await work.accept([toSubmission(postId, { deadline: past() })]);
    await work.accept([toSubmission(postId, { deadline: future() })]);
    await work.expireDeadlines();
    await runAll();
    expect(await rows("select state from request order by id")).toEqual([
      { state: "failed" },
      { state: "done" },
    ]);
  });
});

describe("fair shares", () => {
  test("follow the tenants' weights", async () => {
    await rows("insert into tenant (id, weight) values ('gold', 3), ('bronze', 1)");
    for (const tenant of ["bronze", "gold"]) {
      await work.accept(Array.from({ length: 100 }, () => toSubmission(newPostId(), { tenant })));
    }
    await work.dispatch("io", 40);
    expect(
      await rows(
        "select tenant, count(*) from stage_job where state = 'queued' group by tenant order by tenant",
      ),
    ).toEqual([
      { tenant: "bronze", count: 10 },
      { tenant: "gold", count: 30 },
    ]);
  });

  test("count what is in flight: the tenant with the least is dispatched next, as under share", async () => {
    const submit = (tenant: string, count: number) =>
      work.accept(Array.from({ length: count }, () => toSubmission(newPostId(), { tenant })));
    await submit("loud", 50);
    await work.claim(await work.dispatch("io", 10), "test");
    await submit("quiet", 3);
    const dispatched = await work.dispatch("io", 8);
    const tenantOf = new Map(
      (await rows<{ id: number; tenant: string }>("select id, tenant from stage_job")).map(
        (row) => [row.id, row.tenant],
      ),
    );
    const shares = dispatched.map((job) => `${tenantOf.get(job.id)} ${job.underShare}`).sort();
    expect(shares).toEqual([
      ...Array<string>(5).fill("loud false"),
      ...Array<string>(3).fill("quiet true"),
    ]);
  });
});
