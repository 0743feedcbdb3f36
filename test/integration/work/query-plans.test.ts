import {
  countJobs,
  createBackfillStore,
  createDatabase,
  createDeadLetter,
  createListener,
  createPostReader,
  createRequestReader,
  createWaitingReader,
  createWorkStore,
  type Database,
  grantCredits,
  findRecentRequests,
} from "@clipmill/db";
import {
  type ClaimedJob,
  type Outcome,
  QUEUE_NAMES,
  type QueueName,
  type Submission,
} from "@clipmill/domain";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/servers/database.ts";
import { newPostId, toyPipelines, toSubmission } from "../../support/work/toy-pipeline.ts";

/** Tables with at least a row per post. A statement that reads one whole is slow from the first big list on. */
const BIG_TABLES = new Set([
  "request",
  "request_stage_job",
  "stage_job",
  "cost_entry",
  "credit_txn",
  "credit_entry",
  "post",
  "post_media",
  "media",
  "transcript",
  "screen_text",
  "answer",
  "engagement",
]);
/** Partial indexes whose condition holds for few rows. */
const SMALL_INDEXES = /^stage_job_(in_flight|dead)|^request_(open_deadline|children)$/;

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Filter?: string;
  Plans?: PlanNode[];
}

interface Named {
  text: string;
  name?: string;
  values?: readonly unknown[];
}

let testDatabase: TestDatabase;
let database: Database;
let isRecording = true;
/** By text: its name, and values that it ran with. */
const statements = new Map<string, { name: string; values: readonly unknown[] }>();

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: "test", onError() {} });
  const record = (client: pg.PoolClient) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const recorded = (...args: unknown[]) => {
      const [what, list] = args as [string | Named, readonly unknown[] | undefined];
      const asked: Named = typeof what === "string" ? { text: what } : what;
      const { text, name = text.trim().slice(0, 60) } = asked;
      const values = asked.values ?? (Array.isArray(list) ? list : []);
      if (isRecording && /^\s*(select|insert|update|delete|with)\b/i.test(text))
        statements.set(text, { name, values });
      return query(...args);
    };
    Object.assign(client, { query: recorded });
  };
  for (const pool of [database.pool, database.reserved]) pool.on("connect", record);
  await runEverything();
  isRecording = false;
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

/** Runs every statement on the work tables once, on a handful of rows. */
async function runEverything(): Promise<void> {
  const { pool } = database;
  const window = { io: 2, gpu: 2, cpu: 2, llm: 2 };
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000, window };
  const work = createWorkStore(database, options);
  const dead = createDeadLetter(database);
  const backfills = createBackfillStore(database, { pipelines: toyPipelines });
  const listener = createListener({ url: testDatabase.url, onError() {} });
  const reader = createRequestReader(database, listener);
  const posts = createPostReader(database);
  await grantCredits(pool, "payer", 1_000);

  const claim = async (queue: QueueName) => work.claim(await work.dispatch(queue, 50), "test");
  const toOutcome = ({ id, epoch, input }: ClaimedJob): Outcome => {
    return { id, epoch, kind: "done", output: input, records: [], calls: [] };
  };
  const fail = { kind: "failed", code: "internal", message: "broken", upstream: null } as const;
  const retry = { ...fail, kind: "retry", code: "unavailable", delayMs: 0, counts: true } as const;

  const submit = (more = {}) => toSubmission(newPostId(), { tenant: "payer", credits: 1, ...more });
  const [first, second] = await work.accept([
    submit(),
    submit({ idempotencyKey: "once", deadline: "2100-01-01T00:00:00Z" }),
    submit({ lane: "backfill" }),
    submit({ deadline: "2000-01-01T00:00:00Z" }),
  ]);
  const begun = await backfills.begin({
    tenant: "payer",
    idempotencyKey: "list",
    optionsHash: "h",
  });
  const chunk = backfills.prepare(begun, { submissions: [submit()], invalidCount: 0 });
  await backfills.end(await backfills.append(begun, chunk), "accepted");
  await backfills.find(begun.id);
  await work.findDue(QUEUE_NAMES);
  await work.findLanesAt(new Map(QUEUE_NAMES.map((queue) => [queue, 100])));
  await work.return(await work.dispatch("io", 50));
  const jobs = await claim("io");
  await work.extend(jobs);
  await work.extendSettling(jobs);
  await work.startAlone(jobs[0] ?? { id: 0, epoch: 0 });
  const payer = jobs[0] ?? { id: 0, epoch: 0 };
  const callId = (await work.open([{ job: payer, engine: "e", estimateUsd: 1 }]))[0] ?? 0;
  await work.fail({ callId, usd: 0 });
  await work.settle(
    jobs.map((job, i) => {
      if (i === 0) return { id: job.id, epoch: job.epoch, ...fail };
      if (i === 1) return { id: job.id, epoch: job.epoch, ...retry };
      return { ...toOutcome(job), calls: [{ callId, usd: 1 }] } as Outcome;
    }),
  );
  await dead.list({}, { limit: 10 });
  await dead.list({ code: "internal", stage: "first", tenant: "payer" }, { limit: 10 });
  await dead.find(jobs[0]?.id ?? 0);
  await dead.retry({ ids: [jobs[0]?.id ?? 0] });
  await dead.drop({ filter: {}, limit: 10 });
  for (const queue of QUEUE_NAMES) await work.settle((await claim(queue)).map(toOutcome));
  const parents = await work.accept([submit(), submit()]);
  await runChildrenAndWaits(
    work,
    await claim("io"),
    parents.map(({ requestId }) => requestId),
  );
  await work.reconcile();
  await work.expireDeadlines();
  await work.endChildren();
  await work.replanStranded();
  await work.requeueAll();
  await work.cancel([second?.requestId ?? ""]);
  // The same posts again: reused, joined, and complete on arrival.
  await work.accept([submit({ idempotencyKey: "once" }), submit()]);
  await reader.findRequest(first?.requestId ?? "");
  await posts.find("7000000000000000001");
  await posts.findVersion("7000000000000000001");
  await countJobs(database, QUEUE_NAMES);
  await findRecentRequests(database, 10);
  await listener.close();
  await runWaits(submit);
}

/** Jobs that wait for what is not there: put off, in a queue that no worker drains, and of a tenant that is stopped. */
async function runWaits(submit: (more?: object) => Submission): Promise<void> {
  const waitingLimits = { interactive: 1, standard: 1, backfill: 1 };
  const options = { pipelines: toyPipelines, leaseMs: 30_000, queuedForMs: 60_000, waitingLimits };
  const work = createWorkStore(database, options);
  await database.pool.query("insert into tenant (id, max_in_flight) values ('stopped', 0)");
  const { postId } = submit();
  const [hasty] = await work.accept([
    submit({ postId, lane: "interactive" }),
    submit({ postId, lane: "standard" }),
    submit(),
    submit({ tenant: "stopped", credits: 0 }),
  ]);
  const [job] = await work.claim(await work.dispatch("io", 1), "test");
  const why = { code: "provider_key", message: "no key", upstream: null } as const;
  const putOff = { kind: "retry", ...why, delayMs: 60_000, counts: false } as const;
  if (job !== undefined) await work.settle([{ id: job.id, epoch: job.epoch, ...putOff }]);
  await createWaitingReader(database).findGroups();
  // One of the two requests of this job may wait on.
  await database.pool.query("update request set created_at = '2100-01-01' where id = $1", [
    hasty?.requestId,
  ]);
  await work.failOverdue();
}

/** A job that submits a request and waits, one that resolves it and submits again, and the end of what they submitted. */
async function runChildrenAndWaits(
  work: ReturnType<typeof createWorkStore>,
  jobs: readonly ClaimedJob[],
  requestIds: readonly string[],
): Promise<void> {
  const child = { ...toSubmission(newPostId()), endsWithParent: true };
  await work.settle(
    jobs.map(({ id, epoch }) => ({
      ...({
        id,
        epoch,
        kind: "waiting",
        token: `token-${id}`,
        timeoutMs: 0,
        records: [],
        calls: [],
      } as const),
      submit: [child],
    })),
  );
  await work.resolve([{ token: `token-${jobs[0]?.id}`, kind: "done", output: jobs[0]?.input }]);
  await work.cancel(requestIds);
}

/** Scans that read a big table from end to end. One that a limit ends and that filters nothing out is not counted. */
function findWalks(node: PlanNode, isLimited = false): string[] {
  const { "Relation Name": table = "", "Index Name": index, "Index Cond": condition } = node;
  const below = (node.Plans ?? []).flatMap((child) =>
    findWalks(child, isLimited || node["Node Type"] === "Limit"),
  );
  const isWalk =
    node["Node Type"].includes("Scan") &&
    BIG_TABLES.has(table) &&
    condition === undefined &&
    !(isLimited && index !== undefined && node.Filter === undefined) &&
    !(index !== undefined && SMALL_INDEXES.test(index));
  return isWalk ? [`${node["Node Type"]} on ${table}`, ...below] : below;
}

/** As a prepared statement is planned for any values, and as it is for those at hand. */
async function expectNoWalks(): Promise<void> {
  const walks = new Set<string>();
  for (const [text, { name, values }] of statements) {
    for (const [how, given] of [["generic_plan, ", []] as const, ["", values] as const]) {
      const { rows } = await database.pool.query<{ "QUERY PLAN": { Plan: PlanNode }[] }>(
        `explain (${how}format json) ${text}`,
        [...given],
      );
      const root = rows[0]?.["QUERY PLAN"][0]?.Plan;
      if (root === undefined) throw new Error(`no plan of ${name}`);
      for (const walk of findWalks(root)) walks.add(`${name}: ${walk}`);
    }
  }
  expect([...walks]).toEqual([]);
}

test("a named statement is never planned for the values at hand", async () => {
  const client = await database.pool.connect();
  try {
    await client.query({ name: "a_list", text: "select unnest($1::int[])", values: [[1]] });
    const { rows } = await client.query<{ name: string; custom: number; generic: number }>(
      "select name, custom_plans as custom, generic_plans as generic from pg_prepared_statements",
    );
    expect(rows.find(({ name }) => name === "a_list")).toMatchObject({ generic: 1 });
    expect(rows.filter(({ custom }) => custom > 0)).toEqual([]);
  } finally {
    client.release();
  }
});

describe("no statement walks a whole table", () => {
  test("while nothing is known about the tables", async () => {
    expect(statements.size).toBeGreaterThan(40);
    await expectNoWalks();
  });

  test("while the statistics are those of a handful of rows", async () => {
    await database.pool.query("analyze");
    await expectNoWalks();
  });

  test("while one tenant's long list waits", async () => {
    await database.pool.query(
      `with waiting as (
          insert into stage_job (stage, key, queue, lane, tenant, input, run_at)
          select 'first', '8' || lpad(n::text, 18, '0'), 'io', 3, 'loud', '{}', now() from generate_series(1, 20000) n
          returning id, key),
        asked as (
          insert into request (id, tenant, link, post_id, options_id, lane)
          select 'job_' || lpad(id::text, 26, '0'), 'loud', key, key, 1, 3 from waiting)
        insert into request_stage_job (request_id, stage_job_id, relation)
        select 'job_' || lpad(id::text, 26, '0'), id, 'started' from waiting`,
    );
    // The statistics know only one queue and tenant, so the planner expects each lookup by them to find the whole
    // table.
    await database.pool.query("delete from stage_job where tenant <> 'loud'");
    await database.pool.query("analyze");
    await expectNoWalks();
  });
});
