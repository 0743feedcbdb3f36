import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { DROPPED, RENEWED, toSet, type Transition } from "../states.ts";
import { type DeadSelection, toCondition } from "./dead-job.ts";

/** A retried job has no latest start: the operator wants it however late it is. */
const ANY_TIME: Transition = { start_by: "null" };

/**
 * failed → ready, in the caller's transaction. A job keeps its lane, so one that crashed its worker runs alone again.
 * Requests that failed because of it are reopened, with `retried_at` set.
 */
export async function retryDeadJobs(
  tx: Queryable,
  selection: DeadSelection,
): Promise<{ jobCount: number; requestCount: number }> {
  const { locked, values } = toLocked(selection);
  const { rows: jobs } = await tx.query<{ id: number; stage: string; queue: string }>(
    `${locked}
     update stage_job j set ${toSet(RENEWED, ANY_TIME)}
     from locked where j.id = any (array[locked.id])
     returning j.id, j.stage, j.queue`,
    values,
  );
  if (jobs.length === 0) return { jobCount: 0, requestCount: 0 };
  const requestIds = await openRequests(tx, jobs);
  const siblings = await reopenCancelled(tx, requestIds);
  await notify(tx, "clipmill_ready", [
    ...new Set([...jobs.map(({ queue }) => queue), ...siblings]),
  ]);
  return { jobCount: jobs.length, requestCount: requestIds.length };
}

/** Takes dead jobs out of the dead letter, in the caller's transaction. */
export async function dropJobs(tx: Queryable, selection: DeadSelection): Promise<number> {
  const { locked, values } = toLocked(selection);
  const { rowCount } = await tx.query(
    `${locked} update stage_job j set ${toSet(DROPPED)} from locked where j.id = any (array[locked.id])`,
    values,
  );
  return rowCount ?? 0;
}

/**
 * Locks in id order, as every writer does. Rows that another operator has locked are skipped: that one handles them.
 */
function toLocked(selection: DeadSelection): { locked: string; values: unknown[] } {
  const values: unknown[] = [];
  const byFilter = "filter" in selection;
  const condition = toCondition(byFilter ? selection.filter : {}, values);
  values.push(byFilter ? selection.limit : selection.ids);
  const last = `$${values.length}`;
  const chosen = byFilter
    ? `select j.id from stage_job j where ${condition} order by j.finished_at, j.id limit ${last}`
    : `select unnest(${last}::bigint[]) as id`;
  const locked = `with
    -- The ids that were asked for, or the longest-dead jobs of the filter.
    chosen as materialized (${chosen}),
    -- Those of them that are dead, locked in id order.
    locked as (
      select j.id from stage_job j where j.id = any (array(select id from chosen)) and ${condition}
      order by j.id for update of j skip locked)`;
  return { locked, values };
}

async function openRequests(
  tx: Queryable,
  jobs: readonly { id: number; stage: string }[],
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: "reopen_failed_requests",
    text: `with
      -- The requests that are linked to the retried jobs.
      linked as (
        select distinct l.request_id, retried.stage from unnest($1::bigint[], $2::text[]) as retried (id, stage)
        join request_stage_job l on l.stage_job_id = any (array[retried.id])),
      -- Those of them that failed at one of these stages, locked in id order.
      ended as (
        select r.id from (select * from linked order by request_id) l
        join request r on r.id = any (array[l.request_id]) and r.failed_stage = l.stage
        where r.state = 'failed'
        for update of r)
      update request r set state = 'open', finished_at = null, failed_stage = null, error_code = null,
        error_message = null, retried_at = now()
      from ended where r.id = any (array[ended.id])
      returning r.id`,
    values: [jobs.map(({ id }) => id), jobs.map(({ stage }) => stage)],
  });
  return rows.map(({ id }) => id);
}

/**
 * Makes cancelled jobs of these requests ready: when the requests ended, jobs that no other one needed were cancelled.
 */
async function reopenCancelled(tx: Queryable, requestIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ queue: string }>({
    name: "reopen_cancelled_siblings",
    text: `with cancelled as (
        select j.id from stage_job j
        where j.state = 'cancelled' and j.id = any (array(
          select l.stage_job_id from request_stage_job l where l.request_id = any ($1::text[])))
        order by j.id for update of j)
      update stage_job j set ${toSet(RENEWED, ANY_TIME)}
      from cancelled where j.id = any (array[cancelled.id])
      returning j.queue`,
    values: [requestIds],
  });
  return rows.map(({ queue }) => queue);
}
