import { createDeadLetter, createWorkStore, type DeadLetter, grantCredits } from "@clipmill/db";
import type { Outcome, Output, WorkStore } from "@clipmill/domain";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectBalancedBooks } from "../../support/work/credit-books.ts";
import { toSubmission, toyPipelines } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

const TENANTS = ["a", "b", "c"] as const;
const ORDERS: Output[][] = [["transcript"], ["transcript", "summary"], ["summary", "transcript"]];

let fixture: WorkFixture;
let work: WorkStore;
let dead: DeadLetter;
let rows: WorkFixture["rows"];

beforeAll(async () => {
  fixture = await openWorkFixture();
  ({ rows } = fixture);
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000 };
  // Few, so that those who wait for one answer end in several transactions.
  work = createWorkStore(fixture.database, { ...options, advancedMax: 2 });
  dead = createDeadLetter(fixture.database);
});

afterAll(() => fixture[Symbol.asyncDispose]());

const submit = fc.record({
  tenant: fc.constantFrom(...TENANTS),
  post: fc.nat({ max: 1 }),
  credits: fc.nat({ max: 3 }),
  outputs: fc.constantFrom(...ORDERS),
});
const queue = fc.constantFrom("io" as const, "gpu" as const, "llm" as const);
const kind = fc.constantFrom(
  "done" as const,
  "done" as const,
  "failed" as const,
  "skipped" as const,
);

type Act = () => Promise<unknown>;

async function runStage(name: "io" | "gpu" | "llm", end: "done" | "failed" | "skipped") {
  const jobs = await work.claim(await work.dispatch(name, 10), "w");
  const why = { code: "corrupt_media", message: "broken", upstream: null } as const;
  await work.settle(
    jobs.map(({ id, epoch, input }): Outcome =>
      end === "done"
        ? { id, epoch, kind: end, output: input, records: [], calls: [] }
        : { id, epoch, kind: end, ...why },
    ),
  );
}

async function cancelOne(nth: number): Promise<void> {
  const open = await rows<{ id: string }>(
    "select id from request where state = 'open' order by id",
  );
  const chosen = open[nth % Math.max(1, open.length)];
  if (chosen !== undefined) await work.cancel([chosen.id]);
}

/** Runs all work that there is to its end. */
async function finish(): Promise<void> {
  for (const name of ["io", "gpu", "llm"] as const) {
    await runStage(name, "done");
    while (((await work.reconcile()).advanced ?? 0) > 0);
  }
}

const toActs = (weight: number, arbitrary: fc.Arbitrary<Act>) => ({ weight, arbitrary });

const acts: fc.Arbitrary<Act> = fc.oneof(
  toActs(
    4,
    submit.map(
      ({ post, ...wish }) =>
        () =>
          accept(post, wish),
    ),
  ),
  toActs(
    4,
    fc.tuple(queue, kind).map((how) => () => runStage(...how)),
  ),
  toActs(
    2,
    fc.constant(() => runStage("io", "failed")),
  ),
  toActs(2, fc.constant(finish)),
  toActs(
    2,
    fc.constant(() => work.reconcile()),
  ),
  toActs(3, fc.constant(retryAll)),
  toActs(
    1,
    fc.nat().map((nth) => () => cancelOne(nth)),
  ),
);

/** A tenant may have too few credits: then nothing is stored. */
async function accept(post: number, wish: object): Promise<void> {
  await orTooPoor(work.accept([toSubmission(`7100000000000000${post}`, wish)]));
}

async function retryAll(): Promise<void> {
  await orTooPoor(dead.retry({ filter: {}, limit: 10 }));
}

async function orTooPoor(promise: Promise<unknown>): Promise<void> {
  await promise.catch((error: unknown) =>
    expect(error).toMatchObject({ code: "insufficient_credits" }),
  );
}

/** Whoever waited for an answer and did not pay waited beside somebody who did. */
async function expectPaid(): Promise<void> {
  const unpaid = await rows(
    `select r.id from request r join request_options o on o.id = r.options_id
     where r.state = 'done' and exists (
         select from credit_txn h where h.request_id = r.id and h.kind = 'hold')
       and not exists (
         select from credit_txn c join request p on p.id = c.request_id join request_options q on q.id = p.options_id
         where c.kind = 'capture' and p.post_id = r.post_id and q.outputs @> o.outputs and q.outputs <@ o.outputs)`,
  );
  expect(unpaid).toEqual([]);
}

test("in no order of submits, ends, cancels and retries do the books fail to balance, or an answer stay unpaid", async () => {
  const kinds = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(acts, { minLength: 15, maxLength: 30, size: "max" }),
      async (list) => {
        await rows(
          `truncate request, stage_job, request_stage_job, requests_to_advance, tenant, credit_txn, credit_entry
         restart identity`,
        );
        for (const tenant of TENANTS) await grantCredits(fixture.database.pool, tenant, 12);
        for (const act of list) {
          await act();
          await expectBalancedBooks(fixture);
        }
        await expectPaid();
        const made = await rows<{ kind: string }>(
          "select distinct case when round > 0 then 'again ' || kind else kind end as kind from credit_txn",
        );
        for (const each of made) kinds.add(each.kind);
      },
    ),
    { numRuns: 25, interruptAfterTimeLimit: 40_000 },
  );
  // The runs went far enough to mean something.
  expect([...kinds]).toEqual(
    expect.arrayContaining(["hold", "capture", "release", "again hold", "again capture"]),
  );
}, 60_000);
