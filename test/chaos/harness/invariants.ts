import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { STAGE_NAMES } from "../pipeline.ts";
import type { Waited } from "./hints-watch.ts";
import { WINDOW } from "../processes/arguments.ts";
import { WORKER_COUNT } from "./fleet.ts";
import type { Load } from "./load.ts";
import { query } from "./servers.ts";
import type { Upstream } from "./upstream.ts";

export interface Verdict {
  /** Acknowledged requests that are not at their end, or not there. */
  lost: number;
  /** One line for each broken rule. */
  violations: string[];
  poisoned: number;
  /** Calls per stage job that ended well. */
  amplification: number;
}

export interface World {
  databaseUrl: string;
  storageDirectory: string;
  load: Load;
  upstream: Upstream;
  waited: Waited;
}

/** Rows of each of these are violations. */
const RULES: readonly { rule: string; sql: string }[] = [
  {
    rule: "I1: an idempotency key has two requests",
    sql: `select idempotency_key from request group by tenant, idempotency_key having count(*) > 1`,
  },
  {
    rule: "I2: a request is done and its work is not",
    sql: `select r.id from request r where r.state = 'done' and (
        select count(*) from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = r.id and j.state = 'done') <> ${STAGE_NAMES.length}`,
  },
  {
    rule: "I2: a request is open and its work has ended",
    sql: `select r.id from request r where r.state = 'open' and not exists (
        select from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = r.id and j.state in ('ready', 'queued', 'running'))`,
  },
  {
    rule: "I3: a key has two jobs",
    sql: `select stage, key from stage_job group by stage, key having count(*) > 1`,
  },
  {
    rule: "I4: work is left at rest",
    sql: `select id, state from stage_job where state in ('ready', 'queued', 'running')`,
  },
  {
    rule: "a good post did not end well",
    sql: `select id, state, error_code from request where post_id like '71%' and state not in ('done', 'open')`,
  },
  {
    rule: "a deleted post did not end as gone",
    sql: `select id, state, error_code from request where post_id like '72%' and state <> 'open'
        and (state, error_code) is distinct from ('skipped', 'gone')`,
  },
  {
    rule: "a poisonous post was not condemned",
    sql: `select id, state, error_code from request where post_id like '73%' and state <> 'open'
        and (state, error_code) is distinct from ('failed', 'poison')`,
  },
  {
    rule: "I6: a transaction does not sum to zero",
    sql: `select txn_id from credit_entry group by txn_id having sum(amount) <> 0`,
  },
  {
    rule: "I6: a tenant's balance is not the sum of its entries",
    sql: `select t.id from tenant t cross join lateral (
        select coalesce(sum(e.amount) filter (where e.account = 'available'), 0)::bigint as available,
          coalesce(sum(e.amount) filter (where e.account = 'held'), 0)::bigint as held
        from credit_txn x join credit_entry e on e.txn_id = x.id where x.tenant = t.id) sums
      where (t.available, t.held) is distinct from (sums.available, sums.held)`,
  },
  {
    rule: "I6: a hold has not exactly one end where its request ended",
    sql: `select r.id from request r join credit_txn h on h.request_id = r.id and h.kind = 'hold'
      where (r.state <> 'open') <> (select count(*) = 1 from credit_txn e
        where e.request_id = r.id and e.kind in ('capture', 'release'))`,
  },
  {
    rule: "I6: a post was paid twice",
    sql: `select r.post_id from request r join credit_txn c on c.request_id = r.id and c.kind = 'capture'
      group by r.post_id having count(*) > 1`,
  },
  {
    rule: "I6: nothing was paid at all",
    sql: `select 1 where not exists (select from credit_txn where kind = 'capture')`,
  },
  ...["I2", "I3", "I5"].map((rule) => ({
    rule: `${rule}: seen when it was broken`,
    sql: `select detail from chaos_violation where rule = '${rule}'`,
  })),
];

/**
 * What may wait in one queue, whatever waits behind it in Postgres. A dispatcher fills it up to its window, and by a
 * third more with those that pass. Settlements that do not see each other may each hand off as much as they see room for:
 * a window for each worker. One window more are stale hints: after a wipe that two reconcilers notice, or after a push
 * whose answer is lost, the jobs are dispatched again, and the first hints stand there until a worker takes them.
 */
const HINTS_MAX = Math.ceil((WINDOW * 4) / 3) + (WORKER_COUNT + 1) * WINDOW;
/** A backlog that would fit into the queue shows nothing. */
export const BACKLOG_MIN = HINTS_MAX + 1;

export async function checkInvariants(world: World): Promise<Verdict> {
  const { databaseUrl, load, waited } = world;
  const violations = [...load.complaints];
  for (const { rule, sql } of RULES) {
    const rows = await query(databaseUrl, sql);
    if (rows.length > 0)
      violations.push(`${rule}: ${rows.length}, such as ${JSON.stringify(rows[0])}`);
  }
  violations.push(...(await checkFiles(world)));
  const calls = await checkCalls(world);
  violations.push(...calls.violations);
  if (waited.hints > HINTS_MAX)
    violations.push(`I9: ${waited.hints} hints waited in a queue, at most ${HINTS_MAX} may`);
  const poisoned = await query<{ count: number }>(
    databaseUrl,
    "select count(*)::int as count from stage_job where error_code = 'poison'",
  );
  return {
    lost: await countLost(databaseUrl, load),
    violations,
    poisoned: poisoned[0]?.count ?? 0,
    amplification: calls.amplification,
  };
}

export async function countOpen(databaseUrl: string): Promise<number> {
  const sql = "select count(*)::int as count from request where state = 'open'";
  const [row] = await query<{ count: number }>(databaseUrl, sql);
  return row?.count ?? 0;
}

async function countLost(databaseUrl: string, { promised }: Load): Promise<number> {
  const rows = await query<{ id: string; key: string; state: string }>(
    databaseUrl,
    "select id, idempotency_key as key, state from request",
  );
  const byKey = new Map(rows.map((row) => [row.key, row]));
  let lost = 0;
  for (const [key, { requestId }] of promised) {
    const row = byKey.get(key);
    if (row === undefined || row.id !== requestId || row.state === "open") lost++;
  }
  return lost;
}

/** I7, job by job: one call for the job, one for each retry and each crash, and an intent before each that is paid. */
async function checkCalls({
  databaseUrl,
  upstream,
}: World): Promise<{ violations: string[]; amplification: number }> {
  const jobs = await query<{ name: string; allowed: number; intents: number; paid: boolean }>(
    databaseUrl,
    `select j.stage || '/' || j.key as name, 1 + j.attempts + j.crashes as allowed, j.stage = 'answer' as paid,
       (select count(*) from cost_entry c where c.stage_job_id = j.id)::int as intents
     from stage_job j`,
  );
  const violations: string[] = [];
  let total = 0;
  for (const { name, allowed, intents, paid } of jobs) {
    const calls = upstream.calls.get(name) ?? 0;
    total += calls;
    if (calls > allowed)
      violations.push(`I7: ${name} was called ${calls} times, ${allowed} allowed`);
    if (paid && calls > intents) violations.push(`I7: ${name}: ${calls} calls, ${intents} intents`);
  }
  return { violations, amplification: total / Math.max(1, jobs.length) };
}

/** I10: temporary file, sync, rename, then the row. */
async function checkFiles({ databaseUrl, storageDirectory }: World): Promise<string[]> {
  const violations: string[] = [];
  const stored = new Set<string>();
  const directory = join(storageDirectory, "media");
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const content = await readFile(join(entry.parentPath, entry.name));
    if (createHash("sha256").update(content).digest("hex") !== entry.name) {
      violations.push("I10: a stored file does not hash to its name");
    }
    stored.add(entry.name);
  }
  const rows = await query<{ sha256: string }>(databaseUrl, "select sha256 from media");
  const missing = rows.filter(({ sha256 }) => !stored.has(sha256)).length;
  if (missing > 0) violations.push(`I10: ${missing} rows without their file`);
  return violations;
}
