import type { Queryable } from "../../database.ts";
import { type CreditedRequest, holdAgain } from "../../ledger/credits.ts";
import { notify } from "../../notify.ts";
import { DROPPED, RENEWED, toSet, type Transition } from "../states.ts";
import { type DeadSelection, toCondition } from "./dead-job.ts";

/** A retried job has no latest start: the operator wants it however late it is. */
const ANY_TIME: Transition = { start_by: "null" };

interface Locked {
  id: number;
  stage: string;
}

interface FailedRequest extends CreditedRequest {
  jobIds: number[];
}

export interface Retried {
  jobCount: number;
  requestCount: number;
  /** Jobs that were left alone, because no tenant of their requests has the credits that these cost. */
  unpaidIds: number[];
}

/**
 * failed → ready, in the caller's transaction. A job keeps its lane, so one that crashed its worker runs alone again.
 * Requests that failed because of it are reopened, with `retried_at` set. They hold their credits again; those that
 * cannot stay failed. Their deadlines are lifted: an operator who retries wants the answer even if it is late, and a
 * deadline that passes would end the request before the job has run.
 */
export async function retryDeadJobs(tx: Queryable, selection: DeadSelection): Promise<Retried> {
  const { locked, values } = toLocked(selection);
  const { rows: dead } = await tx.query<Locked>(`${locked} select id, stage from locked`, values);
  const failed = await lockFailedRequests(tx, dead);
  const unpaid = await holdAgain(tx, failed);
  const paid = failed.filter(({ id }) => !unpaid.has(id));
  const jobIds = toRetried(dead, { failed, paid });
  const queues = await reopenJobs(tx, [...jobIds]);
  const requestIds = paid.map(({ id }) => id);
  await reopenRequests(tx, requestIds);
  const siblings = await reopenCancelled(tx, requestIds);
  await notify(tx, "clipmill_ready", [...new Set([...queues, ...siblings])]);
  const unpaidIds = dead.map(({ id }) => id).filter((id) => !jobIds.has(id));
  return { jobCount: jobIds.size, requestCount: requestIds.length, unpaidIds };
}

/** Jobs that a reopened request needs, and those that no request failed because of. */
function toRetried(
  dead: readonly Locked[],
  { failed, paid }: { failed: readonly FailedRequest[]; paid: readonly FailedRequest[] },
): Set<number> {
  const needed = new Set(failed.flatMap(({ jobIds }) => jobIds));
  const payable = new Set(paid.flatMap(({ jobIds }) => jobIds));
  return new Set(dead.map(({ id }) => id).filter((id) => payable.has(id) || !needed.has(id)));
}

async function reopenJobs(tx: Queryable, ids: readonly number[]): Promise<string[]> {
  const { rows } = await tx.query<{ queue: string }>({
    name: "retry_dead_jobs",
    text: `update stage_job j set ${toSet(RENEWED, ANY_TIME)}
      from unnest($1::bigint[]) as retried (id) where j.id = any (array[retried.id])
      returning j.queue`,
    values: [ids],
  });
  return rows.map(({ queue }) => queue);
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
  let condition = toCondition(byFilter ? selection.filter : {}, values);
  if (byFilter && selection.exceptIds !== undefined)
    condition += ` and j.id <> all ($${values.push(selection.exceptIds)}::bigint[])`;
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
      select j.id, j.stage from stage_job j where j.id = any (array(select id from chosen)) and ${condition}
      order by j.id for update of j skip locked)`;
  return { locked, values };
}

/** The requests that failed at the stage of one of these jobs, locked in id order. */
async function lockFailedRequests(
  tx: Queryable,
  jobs: readonly Locked[],
): Promise<FailedRequest[]> {
  const { rows } = await tx.query<FailedRequest>({
    name: "lock_failed_requests",
    text: `with
      -- The requests that are linked to the dead jobs, by the stage at which they may have failed.
      linked as (
        select l.request_id, dead.stage, array_agg(dead.id::float8) as job_ids
        from unnest($1::bigint[], $2::text[]) as dead (id, stage)
        join request_stage_job l on l.stage_job_id = any (array[dead.id])
        group by l.request_id, dead.stage)
      select r.id, r.tenant, r.credits, l.job_ids as "jobIds" from (select * from linked order by request_id) l
      join request r on r.id = any (array[l.request_id]) and r.failed_stage = l.stage
      where r.state = 'failed'
      for update of r`,
    values: [jobs.map(({ id }) => id), jobs.map(({ stage }) => stage)],
  });
  return rows;
}

async function reopenRequests(tx: Queryable, ids: readonly string[]): Promise<void> {
  await tx.query({
    name: "reopen_failed_requests",
    text: `update request r set state = 'open', finished_at = null, failed_stage = null, error_code = null,
        error_message = null, deadline = null, retried_at = now()
      from unnest($1::text[]) as failed (id) where r.id = any (array[failed.id])`,
    values: [ids],
  });
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
