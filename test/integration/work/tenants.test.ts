import {
  createDatabase,
  createDeadLetter,
  createWorkStore,
  type Database,
  grantCredits,
} from "@clipmill/db";
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
  await database.pool.query(
    "truncate request, request_stage_job, stage_job, tenant, credit_txn, credit_entry",
  );
});

async function rows<T>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await database.pool.query(sql, values)).rows as T[];
}

const balanceOf = async (tenant: string) =>
  (
    await rows<{ available: number; held: number }>(
      "select available, held from tenant where id = $1",
      [tenant],
    )
  )[0];

const movementsOf = async (requestId: string) =>
  (
    await rows<{ kind: string }>("select kind from credit_txn where request_id = $1 order by id", [
      requestId,
    ])
  ).map((r) => r.kind);

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

/** I6 of the design. */
async function expectBalancedLedger(): Promise<void> {
  expect(
    await rows("select txn_id from credit_entry group by txn_id having sum(amount) <> 0"),
  ).toEqual([]);
  expect(
    await rows(`select t.id from tenant t
      left join lateral (
        select coalesce(sum(e.amount) filter (where e.account = 'available'), 0)::bigint as available,
          coalesce(sum(e.amount) filter (where e.account = 'held'), 0)::bigint as held
        from credit_txn x join credit_entry e on e.txn_id = x.id where x.tenant = t.id) sums on true
      where (t.available, t.held) is distinct from (sums.available, sums.held)`),
  ).toEqual([]);
  expect(await rows("select id from request where state <> 'open' and credits_held > 0")).toEqual(
    [],
  );
}

describe("credits", () => {
  test("are held at accept and captured once when the answer is there", async () => {
    await grantCredits(database.pool, "acme", 10);
    const [accepted] = await work.accept([
      toSubmission(newPostId(), { tenant: "acme", credits: 2 }),
    ]);
    expect(await balanceOf("acme")).toEqual({ available: 8, held: 2 });
    await runAll();
    expect(await balanceOf("acme")).toEqual({ available: 8, held: 0 });
    expect(await movementsOf(accepted?.requestId ?? "")).toEqual(["hold", "capture"]);
    await expectBalancedLedger();
  });

  test("are given back when the request fails or is skipped", async () => {
    await grantCredits(database.pool, "acme", 10);
    const [accepted] = await work.accept([
      toSubmission(newPostId(), { tenant: "acme", credits: 2 }),
    ]);
    await runAll(() => ({ kind: "skipped", code: "gone", message: "deleted", upstream: null }));
    expect(await balanceOf("acme")).toEqual({ available: 10, held: 0 });
    expect(await movementsOf(accepted?.requestId ?? "")).toEqual(["hold", "release"]);
    await expectBalancedLedger();
  });

  test("are paid by the oldest of those who wait for one answer; later ones are free", async () => {
    await grantCredits(database.pool, "first", 5);
    await grantCredits(database.pool, "second", 5);
    const postId = newPostId();
    await work.accept([toSubmission(postId, { tenant: "first", credits: 1 })]);
    await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    await runAll();
    const [late] = await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    expect(late).toMatchObject({ state: "done" });
    expect(await balanceOf("first")).toEqual({ available: 4, held: 0 });
    expect(await balanceOf("second")).toEqual({ available: 5, held: 0 });
    await expectBalancedLedger();
  });

  test("are paid by the next when the oldest cancels", async () => {
    await grantCredits(database.pool, "first", 5);
    await grantCredits(database.pool, "second", 5);
    const postId = newPostId();
    const [oldest] = await work.accept([toSubmission(postId, { tenant: "first", credits: 1 })]);
    await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    await work.cancel([oldest?.requestId ?? ""]);
    await runAll();
    expect(await balanceOf("first")).toEqual({ available: 5, held: 0 });
    expect(await balanceOf("second")).toEqual({ available: 4, held: 0 });
    await expectBalancedLedger();
  });

  const toFailed = () =>
    ({ kind: "failed", code: "corrupt_media", message: "broken", upstream: null }) as const;
  const retryAll = () => createDeadLetter(database).retry({ filter: {}, limit: 100 });

  test("are held again when a failed request is retried, and captured when it is done", async () => {
    await grantCredits(database.pool, "acme", 10);
    const [accepted] = await work.accept([
      toSubmission(newPostId(), { tenant: "acme", credits: 2 }),
    ]);
    await runAll(toFailed);
    expect(await retryAll()).toEqual({ jobCount: 1, requestCount: 1 });
    expect(await balanceOf("acme")).toEqual({ available: 8, held: 2 });
    await runAll(toFailed);
    await retryAll();
    await runAll();
    expect(await balanceOf("acme")).toEqual({ available: 8, held: 0 });
    expect(await movementsOf(accepted?.requestId ?? "")).toEqual([
      "hold",
      "release",
      "hold",
      "release",
      "hold",
      "capture",
    ]);
    await expectBalancedLedger();
  });

  test("are paid after a retry by the oldest, and not by who came while it had failed", async () => {
    for (const tenant of ["first", "second", "third"]) await grantCredits(database.pool, tenant, 5);
    const postId = newPostId();
    await work.accept([toSubmission(postId, { tenant: "first", credits: 1 })]);
    await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    await runAll(toFailed);
    await retryAll();
    await work.accept([toSubmission(postId, { tenant: "third", credits: 1 })]);
    await runAll();
    for (const [tenant, available] of [
      ["first", 4],
      ["second", 5],
      ["third", 5],
    ] as const)
      expect(await balanceOf(tenant)).toEqual({ available, held: 0 });
    await expectBalancedLedger();
  });

  test("that are spent by then leave the failed request and its entry as they are", async () => {
    await grantCredits(database.pool, "acme", 3);
    const posts = [newPostId(), newPostId()];
    const [older, newer] = await work.accept(
      posts.map((postId) => toSubmission(postId, { tenant: "acme", credits: 1 })),
    );
    await runAll(toFailed);
    await rows("update tenant set available = 1");
    await rows("insert into credit_txn (tenant, kind) values ('acme', 'grant')");
    expect(await retryAll()).toEqual({ jobCount: 1, requestCount: 1 });
    const states = "select state from request where id = any ($1) order by id";
    const ids = [older?.requestId, newer?.requestId].toSorted();
    expect(await rows(states, [ids])).toEqual([{ state: "open" }, { state: "failed" }]);
    await expect(retryAll()).rejects.toMatchObject({ code: "insufficient_credits" });
    expect((await createDeadLetter(database).list({}, { limit: 10 })).jobs).toHaveLength(1);
    await runAll();
    expect(await balanceOf("acme")).toEqual({ available: 0, held: 0 });
  });

  test("are captured once for the same outputs in two orders", async () => {
    for (const tenant of ["first", "second"]) await grantCredits(database.pool, tenant, 5);
    const postId = newPostId();
    await work.accept([
      toSubmission(postId, { tenant: "first", credits: 1, outputs: ["transcript", "summary"] }),
    ]);
    await work.accept([
      toSubmission(postId, {
        tenant: "second",
        credits: 1,
        outputs: ["summary", "transcript", "summary"],
      }),
    ]);
    expect(await rows("select count(distinct options_id)::int as n from request")).toEqual([
      { n: 1 },
    ]);
    // As programs that stored each order apart have left them.
    await rows(
      `with other as (
        insert into request_options (hash, outputs, recipes, language, fresh)
        select 'other order', '{summary,transcript}', recipes, language, fresh from request_options o
        where o.id = (select max(options_id) from request) on conflict (hash) do update set hash = excluded.hash
        returning id)
      update request set options_id = other.id from other where tenant = 'second'`,
    );
    await runAll();
    expect(await balanceOf("first")).toEqual({ available: 4, held: 0 });
    expect(await balanceOf("second")).toEqual({ available: 5, held: 0 });
    await expectBalancedLedger();
  });

  test("never go below zero, however many submit at once", async () => {
    await grantCredits(database.pool, "acme", 10);
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, () =>
        work.accept([toSubmission(newPostId(), { tenant: "acme", credits: 1 })]),
      ),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(10);
    for (const result of results) {
      if (result.status === "rejected")
        expect(result.reason).toMatchObject({ code: "insufficient_credits" });
    }
    expect(await rows("select 1 from request")).toHaveLength(10);
    expect(await balanceOf("acme")).toEqual({ available: 0, held: 10 });
    await expectBalancedLedger();
  });
});

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
