import { createBackfillStore, createDeadLetter, createUpstreamStore } from "@clipmill/db";
import { QUEUE_NAMES } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { expect, test } from "vitest";
import { startTestApi } from "../../support/posts/test-api.ts";
import { expectBalancedBooks, findBalances } from "../../support/work/credit-books.ts";
import { createStageResults } from "../../support/work/stage-results.ts";
import { toPostId } from "../../support/work/upgrade-submissions.ts";
import {
  type OpenJob,
  openUpgradedDatabase,
  type UpgradedDatabase,
} from "../../support/work/upgraded-database.ts";

const results = createStageResults(new Map());

/** Runs all that is ready, until nothing is. */
async function drain({ work }: UpgradedDatabase): Promise<void> {
  for (let rounds = 0; rounds < 50; rounds++) {
    let taken = 0;
    for (const queue of QUEUE_NAMES) {
      const claimed = await work.claim(await work.dispatch(queue, 100), "new-worker");
      taken += claimed.length;
      const { fenced } = await work.settle(claimed.map((job) => results.toDone(job)));
      expect(fenced).toEqual([]);
    }
    if (taken === 0) return;
  }
  throw new Error("there is always more ready work");
}

/** 0.2 added these fields. Nothing is known of the lines of older lists, and these jobs have ended. */
function withoutAdded(answer: object): object {
  const { invalid, waiting_for, ...rest } = { invalid: [], waiting_for: null, ...answer };
  expect([invalid, waiting_for]).toEqual([[], null]);
  return rest;
}

test("an upgrade loses no row, and every stored answer stays word for word", async () => {
  const upgraded = await openUpgradedDatabase();
  const { database, recorded, rows, requests, posts } = upgraded;
  const counts: Record<string, number> = {};
  for (const table of Object.keys(recorded.counts)) {
    const [row] = await rows<{ count: number }>(`select count(*) from ${table}`);
    counts[table] = row?.count ?? 0;
  }
  expect(counts).toEqual(recorded.counts);

  const backfills = createBackfillStore(database, { pipelines });
  const { app } = await startTestApi({ requests, posts, backfills });
  const answers: Record<string, unknown> = {};
  for (const path of Object.keys(recorded.answers))
    answers[path] = withoutAdded((await app.inject({ method: "GET", url: path })).json());
  expect(answers).toEqual(recorded.answers);
  // In the order of then, too: the bytes are the same.
  expect(JSON.stringify(answers)).toBe(JSON.stringify(recorded.answers));
  expect(await findBalances(upgraded)).toEqual(recorded.balances);
  await expectBalancedBooks(upgraded);
});

test("whoever held a job or a hint before the upgrade holds it still; what was over is taken back", async () => {
  const { work, findOpenJob } = await openUpgradedDatabase();
  const running: OpenJob[] = [];
  for (const key of ["open-running", "open-fresh", "open-summary"])
    running.push(await findOpenJob(key));
  const toRef = ({ id, epoch }: OpenJob) => ({ id, epoch });
  const [hinted, hintLost] = [
    await findOpenJob("open-hinted"),
    await findOpenJob("open-hint-lost"),
  ];
  const [over, alone] = [
    await findOpenJob("open-lease-over"),
    await findOpenJob("open-crashed-alone"),
  ];

  // The third crash alone of one of the two whose lease was over.
  expect(await work.reconcile()).toMatchObject({
    requeued: 1,
    expired: 1,
    poisoned: 1,
    timedOut: 0,
  });
  const held = await work.extend([...running, over, alone].map(toRef));
  const byId = (a: { id: number }, b: { id: number }) => a.id - b.id;
  expect(held.sort(byId)).toEqual(running.map(toRef).sort(byId));
  const claimed = await work.claim([hinted, hintLost].map(toRef), "old-worker");
  expect(claimed.map(({ id }) => id)).toEqual([hinted.id]);
  const { fenced } = await work.settle(
    [...running, over, hinted].map((job) => results.toDone(job)),
  );
  expect(fenced).toEqual([toRef(over)]);
});

test("all open work ends, each request in the end that it was on its way to, and the books balance", async () => {
  const upgraded = await openUpgradedDatabase();
  const { work, rows, findOpenJob, findRequests } = upgraded;
  const before = await findRequests();
  await work.reconcile();
  expect(await work.expireDeadlines()).toBe(1);
  for (const key of ["open-running", "open-fresh", "open-summary"])
    await work.settle([results.toDone(await findOpenJob(key))]);
  const [hint] = await work.claim([await findOpenJob("open-hinted")], "new-worker");
  await work.settle(hint === undefined ? [] : [results.toDone(hint)]);
  await drain(upgraded);
  // Its moment had not come.
  expect(await findOpenJob("open-later")).toMatchObject({ state: "ready", attempts: 2 });
  await rows("update stage_job set run_at = now() where run_at > now()");
  await drain(upgraded);

  const ends: Record<string, string> = {};
  for (const [key, { state, errorCode }] of await findRequests()) {
    if (before.get(key)?.state !== "open") continue;
    ends[key.replace(/.*→/, "list ")] = errorCode === null ? state : `${state}: ${errorCode}`;
  }
  expect(ends).toEqual({
    "open-revived": "done",
    "open-crashed-alone": "failed: poison",
    "open-crashed": "done",
    "open-fresh": "done",
    "open-screen": "done",
    "open-summary": "done",
    "open-summary-too": "done",
    "open-summary-beta": "done",
    "open-audio": "done",
    "open-later": "done",
    "open-running": "done",
    "open-of-two": "done",
    "open-hinted": "done",
    [`list ${toPostId(40)}`]: "done",
    [`list ${toPostId(41)}`]: "done",
    [`list ${toPostId(43)}`]: "done",
    [`list ${toPostId(44)}`]: "done",
    "open-ready": "done",
    "open-resolve": "done",
    "open-hint-lost": "done",
    "open-lease-over": "done",
    "open-deadline-over": "failed: deadline_missed",
  });
  const open = await rows(
    "select id from stage_job where state in ('ready', 'queued', 'running') union all select null from request where state = 'open'",
  );
  expect(open).toEqual([]);
  // The oldest of the three that waited for one answer pays.
  const movements = await rows<{ kind: string; key: string }>(
    `select t.kind, r.idempotency_key as key from credit_txn t join request r on r.id = t.request_id
     where r.idempotency_key like 'open-%' and t.kind <> 'hold' order by r.id`,
  );
  expect(movements.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
    "release open-revived",
    "capture open-summary",
    "release open-summary-too",
    "release open-summary-beta",
    "release open-deadline-over",
  ]);
  expect(await findBalances(upgraded)).toEqual({
    acme: { available: 51, held: 0 },
    beta: { available: 12, held: 0 },
  });
  await expectBalancedBooks(upgraded);
});

test("what had failed is in the dead letter, runs again from there, and ends", async () => {
  const upgraded = await openUpgradedDatabase();
  const { database, work, findRequests } = upgraded;
  const dead = createDeadLetter(database);
  const { jobs } = await dead.list({}, { limit: 10 });
  expect(
    jobs.map(({ stage, code, attempts, crashes }) => [stage, code, attempts, crashes]),
  ).toEqual([
    ["transcribe", "poison", 0, 4],
    ["download", "upstream_unavailable", 5, 0],
    ["read-screen", "engine_failed", 1, 0],
  ]);
  // The one that could not be read ended its request with a warning.
  expect(await dead.retry({ ids: jobs.map(({ id }) => id) })).toEqual({
    jobCount: 3,
    requestCount: 2,
  });
  await work.reconcile();
  await drain(upgraded);
  const requests = await findRequests();
  expect(requests.get("failed")?.state).toBe("done");
  expect(requests.get("poison")?.state).toBe("done");
  await expectBalancedBooks(upgraded);
});

test("an upstream that asked to be left alone is still left alone", async () => {
  const { database } = await openUpgradedDatabase();
  const upstreams = createUpstreamStore(database);
  const read = (id: string) =>
    upstreams.change(id, (state, nowMs) => {
      if (state === null) throw new Error(`nothing is known of ${id}`);
      const { pause, pace } = state;
      return { state, result: { pace, code: pause?.code, isOver: (pause?.untilMs ?? 0) < nowMs } };
    });
  const throttled = await read("tiklive#0a1b2c3d");
  expect(throttled.result).toEqual({ pace: 0.5, code: "throttled", isOver: false });
  const unpaid = await read("claude#4e5f6a7b");
  expect(unpaid.state.pause).toMatchObject({ code: "provider_balance", failedProbes: 2 });
  expect((await read("openai#8c9d0e1f")).state.pause).toBeNull();
});
