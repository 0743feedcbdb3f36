import { type ErrorCode, QUEUE_NAMES } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { endHolds } from "../../ledger/credits.ts";
import { findChildrenToEnd, noteChildren } from "./end-children.ts";
import { CANCELLED as CANCELLED_JOB, choose, toSet } from "../states.ts";
import { LANE_RANKS, QUARANTINE_RANK } from "../lane.ts";
import { countAhead, isAtCap } from "../place/placement.ts";

/** How a request ends before its work does. */
export interface EarlyEnd {
  state: "cancelled" | "failed";
  code: ErrorCode;
  message: string;
}

export const CANCELLED: EarlyEnd = {
  state: "cancelled",
  code: "cancelled",
  message: "the caller cancelled the request",
};

const PARENT_ENDED: EarlyEnd = {
  state: "cancelled",
  code: "cancelled",
  message: "the request that submitted this one was ended",
};

const DEADLINE_MISSED: EarlyEnd = {
  state: "failed",
  code: "deadline_missed",
  message: "the deadline passed before the work was done",
};

/** Bounds one transaction. */
const EXPIRED_MAX = 500;

/**
 * Ends open requests before their jobs have ended. Jobs that no other open request needs are cancelled, and a worker
 * that runs one can store nothing more. Jobs that others need go on, in the others' lane. Returns the ids that were
 * open.
 */
export async function endRequestsEarly(
  tx: Queryable,
  ids: readonly string[],
  how: EarlyEnd,
): Promise<string[]> {
  if (ids.length === 0) return [];
  // Jobs before requests, each in id order, as settling locks them.
  await lockOpenJobs(tx, ids);
  const { rows: ended } = await tx.query<{ id: string }>({
    name: "end_requests_early",
    text: `with open as (select id from request where id = any ($1::text[]) and state = 'open' order by id for update)
      update request r set state = $2, error_code = $3, error_message = $4, finished_at = now()
      from open where r.id = any (array[open.id])
      returning r.id`,
    values: [ids, how.state, how.code, how.message],
  });
  const endedIds = ended.map((row) => row.id);
  await noteChildren(tx, endedIds);
  await endHolds(tx, endedIds, new Set());
  // Lock again: a settlement may have planned a next step while the update waited for it. From now on none can.
  await dropUnneeded(tx, await lockOpenJobs(tx, endedIds));
  await notify(tx, "clipmill_request", endedIds);
  return endedIds;
}

/**
 * Ends the next page of requests whose parents were ended early, in the caller's transaction. Returns how many ended,
 * or null if no parent is left.
 */
export async function endNextChildren(tx: Queryable): Promise<number | null> {
  const ids = await findChildrenToEnd(tx);
  return ids === null ? null : (await endRequestsEarly(tx, ids, PARENT_ENDED)).length;
}

async function lockOpenJobs(tx: Queryable, requestIds: readonly string[]): Promise<number[]> {
  const { rows } = await tx.query<{ id: number }>({
    name: "lock_jobs_of_requests",
    text: `select j.id from stage_job j
      where j.id = any (array(select stage_job_id from request_stage_job where request_id = any ($1::text[])))
        and j.state in ('ready', 'queued', 'running', 'waiting')
      order by j.id for update`,
    values: [requestIds],
  });
  return rows.map((row) => row.id);
}

/** The place of a row in a list by time. */
export interface Late {
  id: string;
  at: string;
}

const FIRST: Late = { id: "", at: "-infinity" };

/** The next open requests past their deadline, a page at most. */
export async function findMissedDeadlines(tx: Queryable, after: Late = FIRST): Promise<Late[]> {
  const { rows } = await tx.query<Late>({
    name: "find_missed_deadlines",
    text: `select id, open_deadline::text as at from request
      where open_deadline < now() and open_deadline >= $1::timestamptz and (open_deadline, id) > ($1::timestamptz, $2)
      order by open_deadline, id limit ${EXPIRED_MAX}`,
    values: [after.at, after.id],
  });
  return rows;
}

/** Fails requests whose deadline has passed, in the caller's transaction. Returns how many were open. */
export async function missDeadlines(tx: Queryable, ids: readonly string[]): Promise<number> {
  return (await endRequestsEarly(tx, ids, DEADLINE_MISSED)).length;
}

/** The next ready jobs past their latest start, a page at most. */
export async function findLateJobs(tx: Queryable, after: Late = FIRST): Promise<Late[]> {
  const { rows } = await tx.query<Late>({
    name: "find_late_jobs",
    text: `select id::text, start_by::text as at from stage_job
      where run_at is not null and start_by < now() and start_by >= $1::timestamptz
        and (start_by, id) > ($1::timestamptz, $2::bigint)
      order by start_by, id limit ${EXPIRED_MAX}`,
    values: [after.at, after.id === "" ? 0 : after.id],
  });
  return rows;
}

/** Rechecks jobs past `start_by`: cancelled without an open request, else they take its place and latest start. */
export async function dropLate(tx: Queryable, ids: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ id: number }>({
    name: "lock_late_jobs",
    text: `select j.id from stage_job j
      where j.id = any ($1::bigint[]) and j.run_at is not null and j.start_by < now() order by j.id for update skip locked`,
    values: [ids],
  });
  await dropUnneeded(
    tx,
    rows.map((row) => row.id),
  );
}

/**
 * Of these locked jobs, cancels those that no open request needs. The others take the place of the best-placed of their
 * open requests, see `placeJobs`, and the latest of the deadlines as their latest start.
 */
async function dropUnneeded(tx: Queryable, jobIds: readonly number[]): Promise<void> {
  if (jobIds.length === 0) return;
  await tx.query({
    name: "drop_unneeded_jobs",
    text: `with
      -- The open requests of each job, by tenant.
      claim as materialized (
        select l.stage_job_id as id, r.tenant, min(r.lane) as lane, min(r.id) as oldest,
          bool_or(r.deadline is null) as unbounded, max(r.deadline) as start_by
        from unnest($1::bigint[]) as dropped (id)
        join request_stage_job l on l.stage_job_id = any (array[dropped.id])
        join request r on r.id = any (array[l.request_id]) and r.state = 'open'
        group by l.stage_job_id, r.tenant),
      -- Jobs that requests of several tenants need.
      contested as materialized (
        select id from claim group by id having count(*) > 1),
      -- The best-placed tenant of each job.
      best as materialized (
        select distinct on (c.id) c.id, c.tenant
        from claim c join stage_job j on j.id = any (array[c.id])
        order by c.id,
          case when c.id in (select id from contested) and j.run_at is not null then ${isAtCap("j", "c.tenant")} end,
          c.lane,
          case when c.id in (select id from contested) and j.run_at is not null then ${countAhead("j", "c.tenant", "c.lane")} end,
          c.oldest),
      need as (
        select dropped.id, min(c.lane) as lane, bool_or(c.unbounded) as unbounded, max(c.start_by) as start_by,
          (select b.tenant from best b where b.id = dropped.id) as tenant
        from unnest($1::bigint[]) as dropped (id) left join claim c on c.id = dropped.id
        group by dropped.id)
      update stage_job j set ${toSet(
        choose(
          ["need.lane is null", CANCELLED_JOB],
          [
            "true",
            {
              lane: `case when j.lane = ${QUARANTINE_RANK} then j.lane else need.lane end`,
              tenant: "need.tenant",
              start_by: "case when need.unbounded then null else need.start_by end",
            },
          ],
        ),
      )}
      from need where j.id = any (array[need.id])`,
    values: [jobIds],
  });
}

/** Bounds how many jobs of a tenant one round looks at, by queue and lane. */
const CAPPED_MAX = 500;

/**
 * Ready jobs of tenants whose cap is 0, for which an open request of another tenant waits as well: under the capped one
 * they would never start.
 */
export async function findCappedJobs(tx: Queryable): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: "find_capped_jobs",
    text: `select j.id::text
      from tenant t
      cross join unnest($1::text[]) as q (queue) cross join unnest($2::smallint[]) as l (lane)
      cross join lateral (
        select id from stage_job
        where queue = q.queue and lane = l.lane and tenant = t.id and run_at is not null
        order by run_at, id limit ${CAPPED_MAX}) j
      where t.max_in_flight = 0 and (
        select true from request_stage_job l join request r on r.id = any (array[l.request_id])
        where l.stage_job_id = any (array[j.id]) and r.state = 'open' and r.tenant <> t.id limit 1)`,
    values: [QUEUE_NAMES, LANE_RANKS],
  });
  return rows.map(({ id }) => id);
}

/** Gives ready jobs the place of the best-placed of their open requests, in the caller's transaction. */
export async function placeAnew(tx: Queryable, ids: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ id: number }>({
    name: "lock_jobs_to_place",
    text: `select j.id from stage_job j
      where j.id = any ($1::bigint[]) and j.run_at is not null order by j.id for update skip locked`,
    values: [ids],
  });
  await dropUnneeded(
    tx,
    rows.map((row) => row.id),
  );
}
