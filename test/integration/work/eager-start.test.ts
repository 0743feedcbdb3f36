import { createWorkStore } from "@clipmill/db";
import type { EagerStart, ClaimedJob, Submission, WorkStore } from "@clipmill/domain";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";
import { openWorkFixture, toDone, type WorkFixture } from "../../support/work/work-fixture.ts";

const LEASE_MS = 30_000;
const EAGER: EagerStart = { workerId: "worker-1", stages: ["second", "third"], slots: { gpu: 2 } };

let fixture: WorkFixture;
let rows: WorkFixture["rows"];
let work: WorkStore;

beforeEach(async () => {
  fixture = await openWorkFixture();
  ({ rows } = fixture);
  work = openStore(10);
});

afterEach(() => fixture[Symbol.asyncDispose]());

function openStore(size: number): WorkStore {
  const window = { io: size, gpu: size, cpu: size, llm: size };
  const options = { pipelines: toyPipelines, leaseMs: LEASE_MS, queuedForMs: 60_000, window };
  return createWorkStore(fixture.database, options);
}

/** Ends the first step of this many new posts in one settlement, whose caller offers these eager starts. */
async function endFirsts(count: number, eagerStart: EagerStart, more: Partial<Submission> = {}) {
  await work.accept(Array.from({ length: count }, () => toSubmission(newPostId(), more)));
  const jobs = await work.claim(await work.dispatch("io", count), "worker-1");
  expect(jobs).toHaveLength(count);
  return await work.settle(
    jobs.map((job) => toDone(job, job.key)),
    eagerStart,
  );
}

const findStates = async () =>
  (
    await rows<{ state: string }>("select state from stage_job where queue = 'gpu' order by state")
  ).map(({ state }) => state);

test("next steps start eagerly up to the caller's slots; the others are enqueued", async () => {
  const { started, enqueued } = await endFirsts(3, EAGER);
  expect(enqueued).toMatchObject([{ stage: "second", epoch: 1 }]);
  expect(started).toHaveLength(2);
  for (const job of started) {
    const { key } = job;
    const known = { stage: "second", epoch: 1, attempts: 0, lane: "standard", ageMs: 0 };
    expect(job).toMatchObject({ ...known, key, input: { postId: key } });
    const [row] = await rows(
      `select state, epoch, worker_id, run_at, started_at is not null as started,
         extract(epoch from held_until - now())::float8 * 1000 > ${LEASE_MS / 2} as leased
       from stage_job where id = $1`,
      [job.id],
    );
    const held = { state: "running", epoch: 1, worker_id: "worker-1", run_at: null };
    expect(row).toEqual({ ...held, started: true, leased: true });
  }
});

test("a slot is used once, even if a stored step makes the planner go on in the same settlement", async () => {
  const [known, plain] = [newPostId(), newPostId()];
  await rows(
    `insert into stage_job (stage, key, queue, lane, tenant, input, state, output, finished_at)
     values ('second', $1, 'gpu', 2, 'local', $2, 'done', $2, now())`,
    [known, { postId: known }],
  );
  await work.accept([known, plain].map((postId) => toSubmission(postId)));
  const claim = async (queue: "io" | "gpu", count: number) =>
    await work.claim(await work.dispatch(queue, count), "worker-1");
  const firsts = new Map((await claim("io", 2)).map((job) => [job.key, job]));
  const [first, other] = [firsts.get(known), firsts.get(plain)];
  if (first === undefined || other === undefined) throw new Error("nothing was dispatched");
  const { started } = await work.settle([toDone(other, plain)], EAGER);
  const [second] = started as [ClaimedJob];
  // One post needs its third step in the first round, the other in the second, after its stored second step was found.
  const both = [toDone(first, known), toDone(second, plain)];
  const next = await work.settle(both, { ...EAGER, slots: { llm: 1 } });
  expect(next.started).toMatchObject([{ stage: "third", key: plain }]);
  expect(next.enqueued).toMatchObject([{ stage: "third", key: known }]);
});

test("an eager start is held, fenced and ended like any claimed job", async () => {
  const { started } = await endFirsts(1, EAGER);
  const [job] = started as [ClaimedJob];
  const ref = { id: job.id, epoch: job.epoch };
  expect(await work.extend([ref])).toEqual([ref]);
  await rows("update stage_job set held_until = now() - interval '1 second' where id = $1", [
    job.id,
  ]);
  expect(await work.reconcile()).toMatchObject({ expired: 1 });
  const [again] = await work.claim(await work.dispatch("gpu", 1), "worker-2");
  if (again === undefined) throw new Error("it was not given out again");
  expect(again).toMatchObject({ id: job.id, epoch: 2, input: job.input });
  expect((await work.settle([toDone(ref, job.key)], EAGER)).fenced).toEqual([ref]);
  const next = await work.settle([toDone(again, job.key)], { ...EAGER, slots: { llm: 1 } });
  expect(next).toMatchObject({ fenced: [], started: [{ stage: "third", key: job.key }] });
});

test("nothing starts eagerly past work that waits for a dispatcher", async () => {
  await endFirsts(1, { ...EAGER, slots: {} });
  await rows(
    "update stage_job set state = 'ready', run_at = now(), held_until = null where queue = 'gpu'",
  );
  expect(await endFirsts(1, EAGER)).toMatchObject({ started: [], enqueued: [] });
  expect(await findStates()).toEqual(["ready", "ready"]);
});

test("a stage that the caller does not name is enqueued", async () => {
  const { started, enqueued } = await endFirsts(1, { ...EAGER, stages: ["third"] });
  expect({ started, enqueued: enqueued.length }).toEqual({ started: [], enqueued: 1 });
});

test("a job of a tenant with a cap waits for a dispatcher, because only that counts caps", async () => {
  await rows("insert into tenant (id, max_in_flight) values ('capped-on', 9)");
  expect(await endFirsts(1, EAGER, { tenant: "capped-on" })).toMatchObject({ started: [] });
  expect(await findStates()).toEqual(["ready"]);
});

test("a job past its latest start does not start eagerly", async () => {
  await work.accept([
    toSubmission(newPostId(), { deadline: new Date(Date.now() + 60_000).toISOString() }),
  ]);
  const [job] = await work.claim(await work.dispatch("io", 1), "worker-1");
  if (job === undefined) throw new Error("nothing was dispatched");
  await rows("update request set deadline = now() - interval '1 second'");
  expect(await work.settle([toDone(job, job.key)], EAGER)).toMatchObject({ started: [] });
});

test("a step that somebody else runs already is not started a second time", async () => {
  const postId = newPostId();
  await work.accept([toSubmission(postId)]);
  const [job] = await work.claim(await work.dispatch("io", 1), "worker-1");
  if (job === undefined) throw new Error("nothing was dispatched");
  await rows(
    `insert into stage_job (stage, key, queue, lane, tenant, input, state, epoch, held_until)
     values ('second', $1, 'gpu', 2, 'local', jsonb_build_object('postId', $1::text), 'running', 1, now() + interval '1 minute')`,
    [postId],
  );
  expect(await work.settle([toDone(job, postId)], EAGER)).toMatchObject({
    started: [],
    enqueued: [],
  });
});
