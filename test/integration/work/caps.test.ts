import { createWorkStore } from "@clipmill/db";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ work, rows } = fixture);
});

afterEach(() => fixture[Symbol.asyncDispose]());

test("stops at a tenant's cap on work in flight", async () => {
  await rows("insert into tenant (id, max_in_flight) values ('capped', 3)");
  await work.accept(
    Array.from({ length: 10 }, () => toSubmission(newPostId(), { tenant: "capped" })),
  );
  const dispatched = await work.dispatch("io", 10);
  expect(dispatched).toHaveLength(3);
  await work.claim(dispatched, "test");
  expect(await work.dispatch("io", 10)).toEqual([]);
});

test("stops at the cap over all lanes together, the best lane first", async () => {
  await rows("insert into tenant (id, max_in_flight) values ('capped-in-lanes', 3)");
  for (const lane of ["backfill", "standard", "interactive"] as const)
    await work.accept([
      toSubmission(newPostId(), { tenant: "capped-in-lanes", lane }),
      toSubmission(newPostId(), { tenant: "capped-in-lanes", lane }),
    ]);
  const dispatched = await work.dispatch("io", 10);
  expect(dispatched.map(({ lane }) => lane).sort()).toEqual([
    "interactive",
    "interactive",
    "standard",
  ]);
});

test("stops at the cap in later stages, too: their jobs wait for a dispatcher", async () => {
  const window = { io: 10, gpu: 10, cpu: 10, llm: 10 };
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000, window };
  const enqueuing = createWorkStore(fixture.database, options);
  await rows("insert into tenant (id, max_in_flight) values ('capped-later', 1)");
  const endFirst = async (tenant: string) => {
    await enqueuing.accept(Array.from({ length: 4 }, () => toSubmission(newPostId(), { tenant })));
    for (let n = 0; n < 4; n++) {
      const [job] = await enqueuing.claim(await enqueuing.dispatch("io", 1), "test");
      if (job === undefined) throw new Error("nothing was dispatched");
      await enqueuing.settle([toDone(job, job.key)]);
    }
    return (
      await rows<{ state: string }>(
        "select state from stage_job where tenant = $1 and queue = 'gpu'",
        [tenant],
      )
    ).map(({ state }) => state);
  };
  expect(await endFirst("free")).toEqual(["queued", "queued", "queued", "queued"]);
  expect(await endFirst("capped-later")).toEqual(["ready", "ready", "ready", "ready"]);
  expect(await enqueuing.dispatch("gpu", 10)).toHaveLength(1);
});
