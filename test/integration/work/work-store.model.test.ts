import { createDatabase, createWorkStore, type Database } from "@clipmill/db";
import type { JobRef, Outcome, WorkStore } from "@clipmill/domain";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import {
  checkSnapshot,
  checkStep,
  type Job,
  type Snapshot,
  takeSnapshot,
} from "../../support/work/work-snapshot.ts";
import { toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

const RUNS = 100;
const COMMANDS = { minLength: 30, maxLength: 50, size: "max" } as const;
const WINDOW = 3;
const LONG_MS = 3_600_000;

let testDatabase: TestDatabase;
let database: Database;
let work: WorkStore;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError() {} });
  const window = { io: WINDOW, gpu: WINDOW, cpu: WINDOW, llm: WINDOW };
  work = createWorkStore(database, {
    pipelines: toyPipelines,
    leaseMs: LONG_MS,
    queuedForMs: LONG_MS,
    window,
  });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

/** What the callers, dispatchers and workers know; what is stored must agree with all of them. */
interface Knowledge {
  /** Every hint that was ever given out. Most are stale, as after a flush or a pause. */
  hints: JobRef[];
  requestIds: string[];
}

/** The database, and how it stood after the last command. */
interface Real {
  last: Snapshot;
}

type Command = fc.AsyncCommand<Knowledge, Real>;

/** One random action; `act` does it and checks its answer against what stood there before. */
function toCommand(
  name: string,
  act: (knowledge: Knowledge, before: Snapshot) => Promise<void>,
): Command {
  return {
    check: () => true,
    toString: () => name,
    async run(knowledge, real) {
      await act(knowledge, real.last);
      const now = await takeSnapshot(database.pool);
      checkSnapshot(now);
      checkStep(real.last, now);
      real.last = now;
    },
  };
}

/** Counted from the latest: what is long over would be chosen too often. */
function at<T>(items: readonly T[], index: number): T[] {
  const item = items.at(-1 - (index % Math.max(1, items.length)));
  return item === undefined ? [] : [item];
}

const holds = (job: Job | undefined, { epoch }: JobRef, state: string) =>
  job?.epoch === epoch && job.state === state;

const index = fc.nat({ max: 7 });
const queue = fc.constantFrom("io" as const, "gpu" as const, "llm" as const);

const submit = fc
  .record({
    post: fc.nat({ max: 1 }),
    key: fc.option(fc.nat({ max: 3 })),
    lane: fc.constantFrom("interactive" as const, "standard" as const, "backfill" as const),
  })
  .map(({ post, key, lane }) =>
    toCommand(`submit ${post} ${key} ${lane}`, async (knowledge, before) => {
      const idempotencyKey = key === null ? null : `key-${key}`;
      const submission = toSubmission(`7100000000000000${post}`, { idempotencyKey, lane });
      const [accepted] = await work.accept([submission]);
      const known = before.requests.find((r) => r.key !== null && r.key === idempotencyKey);
      expect(accepted?.created).toBe(known === undefined);
      if (known !== undefined) expect(accepted?.requestId).toBe(known.id);
      if (accepted?.created === true) knowledge.requestIds.push(accepted.requestId);
    }),
  );

const pick = fc.record({ queue, window: fc.integer({ min: 1, max: 4 }) }).map(({ queue, window }) =>
  toCommand(`pick ${queue} ${window}`, async (knowledge, before) => {
    const picked = await work.dispatch(queue, window);
    const queuedCount = before.jobs.filter((j) => j.queue === queue && j.state === "queued").length;
    expect(picked.length).toBeLessThanOrEqual(Math.max(0, window - queuedCount));
    for (const { id, epoch } of picked) {
      expect(before.byId.get(id)).toMatchObject({ state: "ready", epoch: epoch - 1 });
    }
    const quarantinedCount = picked.filter(({ lane }) => lane === "quarantine").length;
    const isBusy = (job: Job) => job.queue === queue && job.lane === 0 && job.isInFlight;
    expect(quarantinedCount).toBeLessThanOrEqual(before.jobs.some(isBusy) ? 0 : 1);
    knowledge.hints.push(...picked);
  }),
);

const claim = index.map((i) =>
  toCommand(`claim ${i}`, async ({ hints }, before) => {
    const refs = at(hints, i);
    const claimed = await work.claim(refs, "model");
    const due = refs.filter((ref) => holds(before.byId.get(ref.id), ref, "queued"));
    expect(claimed.map(({ id, epoch }) => ({ id, epoch }))).toEqual(due.map(toRef));
  }),
);

/** Dispatched and claimed in one go, by a worker that is at hand: most runs would never get far otherwise. */
const start = queue.map((queue) =>
  toCommand(`start ${queue}`, async ({ hints }) => {
    const picked = await work.dispatch(queue, WINDOW);
    expect(await work.claim(picked, "model")).toHaveLength(picked.length);
    hints.push(...picked);
  }),
);

const extend = index.map((i) =>
  toCommand(`heartbeat ${i}`, async ({ hints }, before) => {
    const refs = at(hints, i);
    const held = refs.filter((ref) => holds(before.byId.get(ref.id), ref, "running"));
    expect(await work.extend(refs)).toEqual(held.map(toRef));
  }),
);

const unpick = index.map((i) =>
  toCommand(`give the hint back ${i}`, ({ hints }) => work.return(at(hints, i))),
);

const kind = fc.constantFrom(
  "done" as const,
  "done" as const,
  "done" as const,
  "retry" as const,
  "failed" as const,
  "skipped" as const,
  "released" as const,
);
const settle = fc
  .record({ i: index, kind, nonce: fc.nat(), slots: fc.nat({ max: 1 }) })
  .map(({ i, kind, nonce, slots }) =>
    toCommand(`${kind} ${i}${slots > 0 ? ", and on" : ""}`, async (knowledge, before) => {
      const route = {
        workerId: "model",
        stages: ["second", "third"],
        slots: { gpu: slots, llm: slots },
      };
      for (const ref of at(knowledge.hints, i)) {
        const job = before.byId.get(ref.id);
        const outcome = toOutcome(ref, job, kind, nonce);
        const { fenced, enqueued, started } = await work.settle([outcome], route);
        expect(fenced).toEqual(holds(job, ref, "running") ? [] : [toRef(ref)]);
        expect(started.length).toBeLessThanOrEqual(slots);
        knowledge.hints.push(...enqueued, ...started);
      }
    }),
  );

const expire = queue.map((queue) =>
  toCommand(`expire ${queue}`, async (_knowledge, before) => {
    await database.pool.query(
      "update stage_job set held_until = now() - interval '1 second' where queue = $1 and held_until is not null",
      [queue],
    );
    const overdue = before.jobs.filter((job) => job.queue === queue && job.isInFlight);
    const { requeued, expired, poisoned } = await work.reconcile();
    expect(requeued).toBe(overdue.filter(({ state }) => state === "queued").length);
    expect(expired + poisoned).toBe(overdue.filter(({ state }) => state === "running").length);
  }),
);

const flush = fc.constant(
  toCommand("flush", async (_knowledge, before) => {
    expect(await work.requeueAll()).toBe(before.jobs.filter((j) => j.state === "queued").length);
  }),
);

const cancel = index.map((i) =>
  toCommand(`cancel ${i}`, async ({ requestIds }, before) => {
    const ids = at(requestIds, i);
    const open = before.requests.filter(({ id, state }) => ids.includes(id) && state === "open");
    expect(await work.cancel(ids)).toEqual(open.map(({ id }) => id));
  }),
);

function toRef({ id, epoch }: JobRef): JobRef {
  return { id, epoch };
}

function toOutcome(
  { id, epoch }: JobRef,
  job: Job | undefined,
  kind: Outcome["kind"],
  nonce: number,
): Outcome {
  const why = { code: "upstream_unavailable" as const, message: "down", upstream: null };
  switch (kind) {
    case "done":
      // The nonce shows whether a second result replaced the first.
      return {
        id,
        epoch,
        kind,
        output: { postId: job?.key, engine: `model-${nonce}` },
        records: [],
        calls: [],
      };
    case "retry":
      return { id, epoch, kind, ...why, delayMs: 0, counts: true };
    case "failed":
    case "skipped":
      return { id, epoch, kind, ...why };
    case "released":
      return { id, epoch, kind };
    case "waiting":
      return {
        id,
        epoch,
        kind,
        token: `token-${id}-${epoch}`,
        timeoutMs: LONG_MS,
        records: [],
        calls: [],
      };
  }
}

test("no order of submits, claims, heartbeats, ends, expiries, flushes and cancels breaks an invariant", async () => {
  // What makes progress comes up more often.
  const progress = [submit, start, start, settle, settle, settle];
  const command = fc.oneof(...progress, pick, claim, extend, unpick, expire, flush, cancel);
  const commands = fc.array(command, COMMANDS);
  const endedStates = new Set<string>();
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      await database.pool.query(
        "truncate request, stage_job, request_stage_job, cost_entry restart identity cascade",
      );
      const real = { last: await takeSnapshot(database.pool) };
      await fc.asyncModelRun(
        () => ({ model: { hints: [], requestIds: [] } as Knowledge, real }),
        sequence,
      );
      for (const { state } of [...real.last.jobs, ...real.last.requests]) endedStates.add(state);
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 40_000 },
  );
  // The runs went far enough to mean something.
  expect([...endedStates]).toEqual(expect.arrayContaining(["done", "failed", "cancelled", "open"]));
}, 60_000);
