import {
  createListener,
  createRequestReader,
  createWaitingReader,
  createWorkerRegistry,
  createWorkStore,
} from "@clipmill/db";
import type { ClaimedJob, Outcome, WaitingLimits } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, type WorkFixture } from "../../support/work/work-fixture.ts";

const HOUR_MS = 3_600_000;
const LIMITS = { interactive: HOUR_MS, standard: 2 * HOUR_MS, backfill: 24 * HOUR_MS };
const NO_TROUBLE = { io: null, gpu: null, cpu: null, llm: null };

let fixture: WorkFixture;
let work: WorkFixture["work"];
let rows: WorkFixture["rows"];

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ rows } = fixture);
  work = storeWith(LIMITS);
  await reportWorker();
});

afterEach(() => fixture[Symbol.asyncDispose]());

function storeWith(waitingLimits: WaitingLimits): WorkFixture["work"] {
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000 };
  return createWorkStore(fixture.database, { ...options, waitingLimits });
}

async function reportWorker(): Promise<void> {
  const registry = createWorkerRegistry(fixture.database);
  const queues = ["io", "gpu", "cpu", "llm"] as const;
  await registry.report({ id: "worker", queues, engines: [], slots: { io: 1 } });
  await registry.reportDispatch(NO_TROUBLE);
}

/** A new reader each time: one keeps what stops queues for a second. */
async function waitingFor(id: string | undefined) {
  const listener = createListener({ url: fixture.database.url, onError: () => {} });
  const reader = createRequestReader(fixture.database, listener, { waitingLimits: LIMITS });
  const view = await reader.findRequest(id ?? "");
  await listener.close();
  return view?.waitingFor ?? null;
}

async function submit(options: Parameters<typeof toSubmission>[1] = {}, postId = newPostId()) {
  const [accepted] = await work.accept([toSubmission(postId, options)]);
  return { id: accepted?.requestId ?? "", postId };
}

const putOff = ({ id, epoch }: ClaimedJob, code: "provider_key" | "throttled"): Outcome => ({
  id,
  epoch,
  code,
  kind: "retry",
  message: `the reason is ${code}`,
  upstream: "claude",
  delayMs: 0,
  counts: false,
});

async function putOffOnce(postId: string, code: "provider_key" | "throttled" = "provider_key") {
  await work.settle([putOff(await fixture.claimStage(postId, "io"), code)]);
}

/** As if the job had been put off so long ago. */
async function age(postId: string, ms: number): Promise<void> {
  await rows(
    "update stage_job set put_off_since = put_off_since - make_interval(secs => $2::float8 / 1000) where key = $1",
    [postId, ms],
  );
  await rows(
    "update request set created_at = created_at - make_interval(secs => $2::float8 / 1000) where post_id = $1",
    [postId, ms],
  );
}

const stateOf = async (id: string) => (await fixture.requestOf(id))?.["state"];

describe("a job that is put off", () => {
  test("tells why, since when and until when, the same after each further try", async () => {
    const { id, postId } = await submit();
    expect(await waitingFor(id)).toBeNull();
    await putOffOnce(postId);
    const first = await waitingFor(id);
    expect(first).toMatchObject({
      stage: "first",
      reason: "provider_key",
      message: "the reason is provider_key",
      needsPerson: true,
    });
    await putOffOnce(postId, "throttled");
    expect(await waitingFor(id)).toMatchObject({
      reason: "throttled",
      needsPerson: false,
      since: first?.since,
      failsAt: new Date(Date.parse(first?.since ?? "") + LIMITS.standard).toISOString(),
    });
  });

  test("waits for nothing once an attempt counts, or while it runs", async () => {
    const { id, postId } = await submit();
    await putOffOnce(postId);
    const job = await fixture.claimStage(postId, "io");
    expect(await waitingFor(id)).toBeNull();
    await work.settle([{ ...putOff(job, "throttled"), counts: true } as Outcome]);
    expect(await waitingFor(id)).toBeNull();
    expect(await rows("select put_off_since from stage_job")).toEqual([{ put_off_since: null }]);
  });

  test("fails with its reason once its lane's limit is over, and stands in the dead letter", async () => {
    const { id, postId } = await submit({ lane: "interactive" });
    await putOffOnce(postId);
    expect(await work.failOverdue()).toBe(0);
    await age(postId, HOUR_MS + 1_000);
    expect(await work.failOverdue()).toBe(1);
    expect(await fixture.requestOf(id)).toMatchObject({
      state: "failed",
      error_code: "provider_key",
      error_message: "the reason is provider_key",
      failed_stage: "first",
    });
    expect(await rows("select dead, attempts from stage_job")).toEqual([
      { dead: true, attempts: 0 },
    ]);
  });

  test("goes on for a request that may wait longer, while the others fail", async () => {
    const patient = await submit({ lane: "backfill" });
    const hasty = await submit({ lane: "interactive" }, patient.postId);
    await putOffOnce(patient.postId);
    await age(patient.postId, 2 * HOUR_MS);
    expect(await work.failOverdue()).toBe(1);
    expect([await stateOf(hasty.id), await stateOf(patient.id)]).toEqual(["failed", "open"]);
    expect(await work.failOverdue()).toBe(0);
    await age(patient.postId, 24 * HOUR_MS);
    await work.failOverdue();
    expect(await stateOf(patient.id)).toBe("failed");
  });

  test("is not failed for a request that has just joined it", async () => {
    const old = await submit({ lane: "interactive" });
    await putOffOnce(old.postId);
    await age(old.postId, 2 * HOUR_MS);
    const { id } = await submit({ lane: "interactive" }, old.postId);
    await work.failOverdue();
    expect([await stateOf(old.id), await stateOf(id)]).toEqual(["failed", "open"]);
    const wait = await waitingFor(id);
    expect(Date.parse(wait?.since ?? "")).toBeGreaterThan(Date.now() - 60_000);
  });

  test("waits for ever without a limit", async () => {
    const { id, postId } = await submit();
    await putOffOnce(postId);
    await age(postId, 1_000 * HOUR_MS);
    expect(await storeWith({}).failOverdue()).toBe(0);
    expect(await stateOf(id)).toBe("open");
  });

  test("is counted for operators, with those that wait for the same", async () => {
    for (let n = 0; n < 3; n++) await submit();
    const jobs = await fixture.claimAll("io");
    await work.settle(jobs.map((job) => putOff(job, "provider_key")));
    expect(await createWaitingReader(fixture.database).findGroups()).toEqual([
      expect.objectContaining({ queue: "io", reason: "provider_key", count: 3, needsPerson: true }),
    ]);
  });
});

describe("a queue that nobody serves", () => {
  const silence = (column: string) =>
    rows(`update work_queue set ${column} = now() - interval '3 hours'`).then(() =>
      rows("delete from worker_process where $1 = 'drained_at'", [column]),
    );

  test.each([
    ["drained_at", "no running worker drains the queue io"],
    ["dispatched_at", "no running process dispatches the queue io"],
  ])("for want of %s, is told at once", async (column, message) => {
    const { id } = await submit();
    expect(await waitingFor(id)).toBeNull();
    await silence(column);
    expect(await waitingFor(id)).toMatchObject({ reason: "no_worker", message, needsPerson: true });
  });

  test("since no worker ever drained it, is told at once", async () => {
    await rows("truncate work_queue, worker_process");
    const { id } = await submit();
    expect(await waitingFor(id)).toMatchObject({ reason: "no_worker" });
  });

  test("is served by a worker of 0.1, which reports nothing but itself", async () => {
    await rows("truncate work_queue");
    const { id } = await submit();
    expect(await waitingFor(id)).toBeNull();
  });

  test("tells what the dispatcher reports, since its first report of it", async () => {
    const registry = createWorkerRegistry(fixture.database);
    await registry.reportDispatch({ ...NO_TROUBLE, io: "the queue io is paused" });
    const { id } = await submit();
    await registry.reportDispatch({ ...NO_TROUBLE, io: "the queue io is paused" });
    expect(await waitingFor(id)).toMatchObject({ message: "the queue io is paused" });
    await registry.reportDispatch(NO_TROUBLE);
    expect(await waitingFor(id)).toBeNull();
  });

  test("fails its jobs after their lane's limit, ready or queued, and no others", async () => {
    const [ready, queued, patient] = [
      await submit({ lane: "interactive" }),
      await submit({ lane: "interactive" }),
      await submit({ lane: "backfill" }),
    ];
    await rows(
      "update stage_job set run_at = run_at - interval '2 hours', created_at = created_at - interval '2 hours'",
    );
    await rows("update request set created_at = created_at - interval '2 hours'");
    expect(await work.failOverdue()).toBe(0);
    await rows("update stage_job set run_at = now() + interval '1 hour' where key = $1", [
      ready.postId,
    ]);
    await work.dispatch("io", 1);
    await rows("update stage_job set run_at = now() - interval '2 hours' where key = $1", [
      ready.postId,
    ]);
    await silence("drained_at");
    expect(await work.failOverdue()).toBe(2);
    const states = await Promise.all([ready, queued, patient].map(({ id }) => stateOf(id)));
    expect(states).toEqual(["failed", "failed", "open"]);
    expect(await fixture.requestOf(ready.id)).toMatchObject({
      error_code: "no_worker",
      error_message: "no running worker drains the queue io",
    });
  });

  test("is among the groups that operators see, with its jobs", async () => {
    await submit();
    await silence("drained_at");
    expect(await createWaitingReader(fixture.database).findGroups()).toContainEqual(
      expect.objectContaining({ queue: "io", reason: "no_worker", count: 1 }),
    );
  });
});

test("a tenant that may have no job in flight is told so, and its jobs fail in the end", async () => {
  await rows("insert into tenant (id, max_in_flight) values ('stopped', 0)");
  const { id } = await submit({ tenant: "stopped", lane: "interactive" });
  expect(await waitingFor(id)).toMatchObject({ reason: "tenant_stopped" });
  await rows("update stage_job set run_at = run_at - interval '2 hours'");
  await rows("update request set created_at = created_at - interval '2 hours'");
  expect(await work.failOverdue()).toBe(1);
  expect(await fixture.requestOf(id)).toMatchObject({ error_code: "tenant_stopped" });
});
