import { query } from "../servers.ts";

/** What requests submitted by stages, and waits, came to: a fault that reached nothing proves nothing. */
export interface VerdictCounts {
  poisoned: number;
  /** Requests that stages submitted. */
  children: number;
  /** Of them those that ended with their parents. */
  childrenEnded: number;
  waits: number;
  resolvedWaits: number;
  timedOutWaits: number;
  cancelledWaits: number;
  /** Answers of rounds that ended no wait: they came twice, late or too early. Unknown tokens are not among them. */
  staleAnswers: number;
}

/** Rounds are the workers' own; what the API resolves is known by the name of its connection. */
const COUNTS = `select
  (select count(*) from stage_job where error_code = 'poison')::int as poisoned,
  (select count(*) from request where submitted_by is not null)::int as children,
  (select count(*) from request r where state = 'cancelled' and ends_with_parent
    and not exists (select from chaos_cancel c where c.request_id = r.id))::int as "childrenEnded",
  (select count(*) from chaos_wait)::int as waits,
  (select count(*) from chaos_wait where ended_as in ('done', 'failed'))::int as "resolvedWaits",
  (select count(*) from chaos_wait where ended_as = 'ready')::int as "timedOutWaits",
  (select count(*) from chaos_wait where ended_as = 'cancelled')::int as "cancelledWaits",
  (select coalesce(sum(jsonb_array_length(output -> 'tokens')), 0) from stage_job where stage = 'collect' and state = 'done')::int
    - (select count(*) from chaos_wait where ended_as in ('done', 'failed') and ended_by = 'chaos-work')::int as "staleAnswers"`;

export async function countForVerdict(databaseUrl: string): Promise<VerdictCounts> {
  const [counts] = await query<VerdictCounts>(databaseUrl, COUNTS);
  if (counts === undefined) throw new Error("nothing was counted");
  return counts;
}

/** Whether a stage of this request has submitted others by now. */
export async function hasChildren(databaseUrl: string, requestId: string): Promise<boolean> {
  const rows = await query(
    databaseUrl,
    `select from request_stage_job l join request c on c.submitted_by = l.stage_job_id where l.request_id = $1 limit 1`,
    [requestId],
  );
  return rows.length > 0;
}

/** Jobs that have come to an end. */
export async function countEnded(databaseUrl: string): Promise<number> {
  const rows = await query<{ count: number }>(
    databaseUrl,
    "select count(*)::int as count from stage_job where finished_at is not null",
  );
  return rows[0]?.count ?? 0;
}

/** Pids of the workers that run a job alone which has crashed twice like that: a third time would make it poison. */
export async function findLastChances(databaseUrl: string): Promise<ReadonlySet<number>> {
  const rows = await query<{ pid: number }>(
    databaseUrl,
    `select substring(worker_id from '[0-9]+$')::int as pid from stage_job
     where in_flight and state = 'running' and lane = 0 and quarantine_crashes + solo_crashes >= 2`,
  );
  return new Set(rows.map(({ pid }) => pid));
}
