import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Waited } from "./hints-watch.ts";
import { WINDOW } from "../../processes/arguments.ts";
import type { Callers } from "../callers.ts";
import { WORKER_COUNT } from "../fleet.ts";
import { CHILD_RULES, RULES, WAIT_RULES } from "./rules.ts";
import { query } from "../servers.ts";
import type { Upstream } from "../upstream.ts";

export interface Verdict {
  /** Acknowledged requests that are not at their end, or not there. */
  lost: number;
  /** One line for each broken rule. */
  violations: string[];
  /** Calls per stage job that ended well. */
  amplification: number;
}

export interface World {
  databaseUrl: string;
  storageDirectory: string;
  callers: Callers;
  upstream: Upstream;
  waited(): Waited;
  /** Requests that were made to have no work. */
  stranded: ReadonlySet<string>;
  /** Such requests as reconcilers said that they had found. */
  replanned: ReadonlySet<string>;
}

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
  const { databaseUrl, callers } = world;
  const waited = world.waited();
  const violations = [...callers.complaints];
  const asked = "insert into chaos_cancel select unnest($1::text[]) on conflict do nothing";
  await query(databaseUrl, asked, [[...callers.cancelled]]);
  for (const { rule, sql } of [...RULES, ...CHILD_RULES, ...WAIT_RULES]) {
    const rows = await query(databaseUrl, sql);
    if (rows.length > 0)
      violations.push(`${rule}: ${rows.length}, such as ${JSON.stringify(rows[0])}`);
  }
  violations.push(...(await checkFiles(world)));
  const calls = await checkCalls(world);
  violations.push(...calls.violations);
  if (waited.hints > HINTS_MAX)
    violations.push(`I9: ${waited.hints} hints waited in a queue, at most ${HINTS_MAX} may`);
  const found = [...world.replanned].filter((id) => !world.stranded.has(id)).length;
  if (found > 0) violations.push(`I2: ${found} open requests were found without work`);
  return {
    lost: await countLost(databaseUrl, callers),
    violations,
    amplification: calls.amplification,
  };
}

async function countLost(databaseUrl: string, { promised }: Callers): Promise<number> {
  const rows = await query<{ id: string; key: string; state: string }>(
    databaseUrl,
    "select id, idempotency_key as key, state from request",
  );
  const byKey = new Map(rows.map((row) => [row.key, row]));
  let lost = 0;
  for (const [key, requestId] of promised) {
    const row = byKey.get(key);
    if (row === undefined || row.id !== requestId || row.state === "open") lost++;
  }
  return lost;
}

/**
 * I7, job by job: one call for the job, one for each retry, each crash and each wait that timed out, and an intent before
 * each that is paid. A job that was cancelled and is wanted again begins anew.
 */
async function checkCalls({
  databaseUrl,
  upstream,
}: World): Promise<{ violations: string[]; amplification: number }> {
  const jobs = await query<{ name: string; allowed: number; intents: number; paid: boolean }>(
    databaseUrl,
    `select j.stage || '/' || j.key as name, j.stage = 'answer' as paid, 1 + j.attempts + j.crashes
         + (select count(*) from chaos_wait w where w.stage_job_id = j.id and w.ended_as = 'ready')::int
         + (select coalesce(sum(calls), 0) from chaos_renewed n where n.stage_job_id = j.id)::int as allowed,
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

/** I10: temporary file, sync, rename, then the row. Rows first: the file of each that is read then must be there. */
async function checkFiles({ databaseUrl, storageDirectory }: World): Promise<string[]> {
  const rows = await query<{ sha256: string }>(databaseUrl, "select sha256 from media");
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
  const missing = rows.filter(({ sha256 }) => !stored.has(sha256)).length;
  if (missing > 0) violations.push(`I10: ${missing} rows without their file`);
  return violations;
}
