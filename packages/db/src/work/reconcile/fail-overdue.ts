import { type Lane, QUEUE_NAMES, type WaitingLimits } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { findStops, type Stop } from "../../read/stops.ts";
import { type EarlyEnd, endRequestsEarly } from "../end/end-early.ts";
import { QUARANTINE_RANK, toLaneRank } from "../lane.ts";
import { advanceAttached } from "../plan/advance-attached.ts";
import type { Planning } from "../plan/planning.ts";
import { overdue, toSet } from "../states.ts";

/** Bounds one transaction. What is left is done in the next round. */
const OVERDUE_MAX = 500;

/** How long a job may wait, by rank of its lane. Jobs in quarantine wait as long as those of the lane `standard`. */
interface Limit {
  rank: number;
  ms: number;
}

function toLimits(limits: WaitingLimits): Limit[] {
  const ofLanes = Object.entries(limits).map(([lane, ms]) => ({
    rank: toLaneRank(lane as Lane),
    ms,
  }));
  const { standard } = limits;
  return standard === undefined ? ofLanes : [...ofLanes, { rank: QUARANTINE_RANK, ms: standard }];
}

/**
 * Fails jobs that have waited for longer than the lanes of all their requests allow: for a worker, an engine, or a
 * provider that takes our calls. Where some requests may wait on, only the others fail. In the caller's transaction.
 * Returns how many jobs and requests failed.
 */
export async function failOverdue(
  tx: Queryable,
  planning: Planning,
  waitingLimits: WaitingLimits,
): Promise<number> {
  const limits = toLimits(waitingLimits);
  if (limits.length === 0) return 0;
  const { queues, tenants } = await findStops(tx);
  let count = await failJobs(tx, planning, limits, await findPutOff(tx, limits));
  for (const [queue, stop] of queues) {
    const passed = limits.filter(({ ms }) => stop.forMs > ms);
    if (passed.length === 0) continue;
    count += await failJobs(tx, planning, limits, await findUnserved(tx, passed, queue), stop);
  }
  for (const [tenant, stop] of tenants)
    count += await failJobs(tx, planning, limits, await findOfTenant(tx, limits, tenant), stop);
  return count;
}

const LIMITS = `limits (lane, span) as (
  select rank, make_interval(secs => ms / 1000) from unnest($1::int[], $2::float8[]) as given (rank, ms))`;

function toColumns(limits: readonly Limit[]): [number[], number[]] {
  return [limits.map(({ rank }) => rank), limits.map(({ ms }) => ms)];
}

async function findPutOff(tx: Queryable, limits: readonly Limit[]): Promise<number[]> {
  const { rows } = await tx.query<{ id: number }>({
    name: "find_put_off_for_too_long",
    text: `with ${LIMITS}
      select j.id from limits l cross join lateral (
        select id from stage_job
        where lane = l.lane and run_at is not null and put_off_since is not null and put_off_since < now() - l.span
        order by put_off_since limit ${OVERDUE_MAX}) j
      limit ${OVERDUE_MAX}`,
    values: toColumns(limits),
  });
  return rows.map(({ id }) => id);
}

/** Jobs of a queue that nobody serves. */
async function findUnserved(
  tx: Queryable,
  limits: readonly Limit[],
  queue: string,
): Promise<number[]> {
  const { rows } = await tx.query<{ id: number }>({
    name: "find_unserved",
    text: `with recursive ${LIMITS},
      -- Each lane and tenant that has ready jobs: one index lookup each, as in dispatching.
      lane_tenant as (
        (select j.lane, j.tenant from stage_job j where j.queue = $3 and j.run_at is not null
         order by j.lane, j.tenant limit 1)
        union all
        select n.lane, n.tenant from lane_tenant g cross join lateral (
          select j.lane, j.tenant from stage_job j
          where j.queue = $3 and j.run_at is not null and (j.lane, j.tenant) > (g.lane, g.tenant)
          order by j.lane, j.tenant limit 1) n)
      (select j.id from lane_tenant g join limits l on l.lane = g.lane cross join lateral (
        select id from stage_job
        where queue = $3 and lane = g.lane and tenant = g.tenant and run_at is not null and run_at < now() - l.span
        order by run_at limit ${OVERDUE_MAX}) j limit ${OVERDUE_MAX})
      union all
      -- Those whose hints no worker takes. There are no more of them than the queue's window.
      select j.id from stage_job j join limits l on l.lane = j.lane
      where j.queue = $3 and j.in_flight and j.state = 'queued' and j.created_at < now() - l.span`,
    values: [...toColumns(limits), queue],
  });
  return rows.map(({ id }) => id);
}

async function findOfTenant(
  tx: Queryable,
  limits: readonly Limit[],
  tenant: string,
): Promise<number[]> {
  const { rows } = await tx.query<{ id: number }>({
    name: "find_of_stopped_tenant",
    text: `with ${LIMITS}
      select j.id from limits l cross join unnest($4::text[]) as q (queue) cross join lateral (
        select id from stage_job
        where queue = q.queue and lane = l.lane and tenant = $3 and run_at is not null and run_at < now() - l.span
        order by run_at limit ${OVERDUE_MAX}) j
      limit ${OVERDUE_MAX}`,
    values: [...toColumns(limits), tenant, QUEUE_NAMES],
  });
  return rows.map(({ id }) => id);
}

interface Judged {
  id: number;
  /** Open requests that have waited for too long. */
  overdueIds: string[];
  /** Whether another open request may wait on. */
  isWanted: boolean;
  code: EarlyEnd["code"] | null;
  message: string | null;
}

/** `stop`: why those of the jobs wait that were not put off. */
async function failJobs(
  tx: Queryable,
  planning: Planning,
  limits: readonly Limit[],
  jobIds: readonly number[],
  stop?: Stop,
): Promise<number> {
  if (jobIds.length === 0) return 0;
  const judged = await judge(tx, limits, jobIds);
  const unwanted = judged.filter(({ isWanted }) => !isWanted);
  const failedIds = await endOverdue(tx, unwanted, stop);
  await advanceAttached(tx, planning, failedIds);
  let count = failedIds.length;
  for (const { overdueIds, isWanted, code, message } of judged) {
    if (!isWanted || overdueIds.length === 0) continue;
    const why = stop ?? { reason: "engine_unavailable" as const, message: "" };
    const how = { code: code ?? why.reason, message: message ?? why.message };
    count += (await endRequestsEarly(tx, overdueIds, { state: "failed", ...how })).length;
  }
  return count;
}

/** Locks the jobs that still wait, in id order, and tells which of their requests have waited for too long. */
async function judge(
  tx: Queryable,
  limits: readonly Limit[],
  jobIds: readonly number[],
): Promise<Judged[]> {
  const { rows } = await tx.query<Judged>({
    name: "judge_overdue",
    text: `with ${LIMITS},
      waiting as materialized (
        select id, put_off_since, error_code, error_message from stage_job
        where id = any ($3::bigint[]) and state in ('ready', 'queued') order by id for update skip locked)
      select w.id, of.overdue as "overdueIds", of.wanted as "isWanted",
        case when w.put_off_since is not null then w.error_code end as code,
        case when w.put_off_since is not null then w.error_message end as message
      from waiting w cross join lateral (
        select coalesce(array_agg(r.id) filter (where r.is_over), '{}') as overdue,
          coalesce(bool_or(not r.is_over), false) as wanted
        from (
          select r.id, coalesce(greatest(w.put_off_since, r.created_at, r.retried_at) < now() - l.span, false) as is_over
          from request_stage_job a join request r on r.id = any (array[a.request_id]) and r.state = 'open'
            left join limits l on l.lane = r.lane
          where a.stage_job_id = w.id) r) of`,
    values: [...toColumns(limits), jobIds],
  });
  return rows;
}

/** ready or queued → failed. Returns the ids. */
async function endOverdue(
  tx: Queryable,
  jobs: readonly Judged[],
  stop: Stop | undefined,
): Promise<number[]> {
  if (jobs.length === 0) return [];
  const { rows } = await tx.query<{ id: number }>({
    name: "fail_overdue",
    text: `update stage_job j set ${toSet(overdue("$2", "$3"))} where j.id = any ($1::bigint[]) returning j.id`,
    values: [jobs.map(({ id }) => id), stop?.reason ?? null, stop?.message ?? null],
  });
  return rows.map(({ id }) => id);
}
