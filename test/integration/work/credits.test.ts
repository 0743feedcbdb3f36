import { createDeadLetter, grantCredits } from "@clipmill/db";
import type { Outcome } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectBalancedBooks, findBalances } from "../../support/work/credit-books.ts";
import { newPostId, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

const balanceOf = async (tenant: string) => (await findBalances(fixture))[tenant];

const movementsOf = async (requestId: string) =>
  (
    await rows<{ kind: string }>("select kind from credit_txn where request_id = $1 order by id", [
      requestId,
    ])
  ).map(({ kind }) => kind);

/** Runs all ready jobs through their stages. `outcome` may return another outcome than done. */
async function runAll(outcome?: (stage: string) => Partial<Outcome> | undefined): Promise<void> {
  for (const queue of ["io", "gpu", "llm"] as const)
    await work.settle(
      (await fixture.claimAll(queue)).map(({ id, epoch, stage, input }) => {
        const done = { id, epoch, kind: "done", output: input, records: [], calls: [] } as const;
        return { ...done, ...outcome?.(stage) } as Outcome;
      }),
    );
}

describe("credits", () => {
  test("are held at accept and captured once when the answer is there", async () => {
    await grantCredits(fixture.database.pool, "acme", 10);
    const [accepted] = await work.accept([
      toSubmission(newPostId(), { tenant: "acme", credits: 2 }),
    ]);
    expect(await balanceOf("acme")).toEqual({ available: 8, held: 2 });
    await runAll();
    expect(await balanceOf("acme")).toEqual({ available: 8, held: 0 });
    expect(await movementsOf(accepted?.requestId ?? "")).toEqual(["hold", "capture"]);
    await expectBalancedBooks(fixture);
  });

  test("are given back when the request fails or is skipped", async () => {
    await grantCredits(fixture.database.pool, "acme", 10);
    const [accepted] = await work.accept([
      toSubmission(newPostId(), { tenant: "acme", credits: 2 }),
    ]);
    await runAll(() => ({ kind: "skipped", code: "gone", message: "deleted", upstream: null }));
    expect(await balanceOf("acme")).toEqual({ available: 10, held: 0 });
    expect(await movementsOf(accepted?.requestId ?? "")).toEqual(["hold", "release"]);
    await expectBalancedBooks(fixture);
  });

  test("are paid by the oldest of those who wait for one answer; later ones are free", async () => {
    await grantCredits(fixture.database.pool, "first", 5);
    await grantCredits(fixture.database.pool, "second", 5);
    const postId = newPostId();
    await work.accept([toSubmission(postId, { tenant: "first", credits: 1 })]);
    await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    await runAll();
    const [late] = await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    expect(late).toMatchObject({ state: "done" });
    expect(await balanceOf("first")).toEqual({ available: 4, held: 0 });
    expect(await balanceOf("second")).toEqual({ available: 5, held: 0 });
    await expectBalancedBooks(fixture);
  });

  test("are paid by the next when the oldest cancels", async () => {
    await grantCredits(fixture.database.pool, "first", 5);
    await grantCredits(fixture.database.pool, "second", 5);
    const postId = newPostId();
    const [oldest] = await work.accept([toSubmission(postId, { tenant: "first", credits: 1 })]);
    await work.accept([toSubmission(postId, { tenant: "second", credits: 1 })]);
    await work.cancel([oldest?.requestId ?? ""]);
    await runAll();
    expect(await balanceOf("first")).toEqual({ available: 5, held: 0 });
    expect(await balanceOf("second")).toEqual({ available: 4, held: 0 });
    await expectBalancedBooks(fixture);
  });

  const toFailed = () =>
    ({ kind: "failed", code: "corrupt_media", message: "broken", upstream: null }) as const;
  const retryAll = () => createDeadLetter(fixture.database).retry({ filter: {}, limit: 100 });

  test("are held again when a failed request is retried, and captured when it is done", async () => {
    await grantCredits(fixture.database.pool, "acme", 10);
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
    await expectBalancedBooks(fixture);
  });

  test("are paid after a retry by the oldest, and not by who came while it had failed", async () => {
    for (const tenant of ["first", "second", "third"])
      await grantCredits(fixture.database.pool, tenant, 5);
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
    await expectBalancedBooks(fixture);
  });

  test("that are spent by then leave the failed request and its entry as they are", async () => {
    await grantCredits(fixture.database.pool, "acme", 3);
    const posts = [newPostId(), newPostId()];
    const [older, newer] = await work.accept(
      posts.map((postId) => toSubmission(postId, { tenant: "acme", credits: 1 })),
    );
    await runAll(toFailed);
    await rows("update tenant set available = 1");
    await rows("insert into credit_txn (tenant, kind) values ('acme', 'grant')");
    expect(await retryAll()).toEqual({ jobCount: 1, requestCount: 1 });
    const states = "select state from request where id = any ($1) order by id";
    const ids = [older?.requestId, newer?.requestId].toSorted((a = "", b = "") =>
      a.localeCompare(b),
    );
    expect(await rows(states, [ids])).toEqual([{ state: "open" }, { state: "failed" }]);
    await expect(retryAll()).rejects.toMatchObject({ code: "insufficient_credits" });
    expect((await createDeadLetter(fixture.database).list({}, { limit: 10 })).jobs).toHaveLength(1);
    await runAll();
    expect(await balanceOf("acme")).toEqual({ available: 0, held: 0 });
  });

  test("are captured once for the same outputs in two orders", async () => {
    for (const tenant of ["first", "second"]) await grantCredits(fixture.database.pool, tenant, 5);
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
    await expectBalancedBooks(fixture);
  });

  test("never go below zero, however many submit at once", async () => {
    await grantCredits(fixture.database.pool, "acme", 10);
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
    await expectBalancedBooks(fixture);
  });
});
