import type { ReconcileCounts } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { notify } from "../notify.ts";
import { QUARANTINE_RANK } from "./lane.ts";
import { advanceAttached } from "./plan/advance-attached.ts";
import type { Planning } from "./plan/planning.ts";
import {
  choose,
  crashed,
  HELD_UNTIL,
  isWaiting,
  poisoned,
  QUARANTINE_CRASHES,
  RETURNED,
  timedOut,
  toSet,
} from "./states.ts";

/** Bounds one transaction; what is left over is taken in the next round. */
const RECONCILED_MAX = 1_000;

/** A job that killed its worker this often while it ran alone is the culprit, not a bystander. */
const POISON_QUARANTINE_CRASHES = 3;

/**
 * Returns to `ready` what was queued, waited or, unless leases are spared, was leased for too long. Rows that somebody
 * holds are skipped: their holder is alive. Runs in the caller's transaction.
 */
export async function reconcileJobs(
  tx: Queryable,
  planning: Planning,
  { spareLeases }: { spareLeases: boolean },
): Promise<ReconcileCounts> {
  const requeued = await requeueOverdue(tx);
  const timedOutQueues = await expireWaits(tx);
  const expired = spareLeases ? [] : await expireLeases(tx);
  const poisonedIds = expired.filter(({ state }) => state === "failed").map(({ id }) => id);
  await advanceAttached(tx, planning, poisonedIds);
  await notifyReady(tx, [...requeued, ...timedOutQueues, ...expired.map(({ queue }) => queue)]);
  return {
    requeued: requeued.length,
    expired: expired.length - poisonedIds.length,
    poisoned: poisonedIds.length,
    timedOut: timedOutQueues.length,
  };
}

/** queued → ready where the hint's time is over. Returns their queues. */
async function requeueOverdue(tx: Queryable): Promise<string[]> {
  const { rows } = await tx.query<{ queue: string }>({
    name: "requeue_overdue",
    text: `with overdue as (
        select j.id from stage_job j where j.in_flight and j.state = 'queued' and ${HELD_UNTIL} < now()
        order by j.id limit ${RECONCILED_MAX} for update skip locked)
      update stage_job j set ${toSet(RETURNED)} from overdue where j.id = any (array[overdue.id])
      returning j.queue`,
  });
  return rows.map(({ queue }) => queue);
}

/** waiting → ready where nobody resolved the token in time. Returns their queues. */
async function expireWaits(tx: Queryable): Promise<string[]> {
  const { rows } = await tx.query<{ queue: string }>({
    name: "expire_waits",
    text: `with
      -- Waits that are over. What somebody resolves now is passed over.
      over as materialized (
        select token, stage_job_id, epoch from stage_wait where expires_at < now()
        order by expires_at limit ${RECONCILED_MAX} for update skip locked),
      -- Their jobs, as far as they wait still, locked in id order.
      waiting as materialized (
        select j.id, o.token from (select * from over order by stage_job_id) o
        join stage_job j on j.id = any (array[o.stage_job_id]) and j.epoch = o.epoch and j.state = 'waiting'
        for update of j skip locked),
      -- Their rows, and those of jobs that have moved on.
      dropped as (
        delete from stage_wait w using over
        where w.token = any (array[over.token]) and (over.token in (select token from waiting)
          or not ${isWaiting("over")}))
      update stage_job j set ${toSet(timedOut("waiting.token"))} from waiting where j.id = any (array[waiting.id])
      returning j.queue`,
  });
  return rows.map(({ queue }) => queue);
}

const POISON_MESSAGE = `'the job ended its worker ${POISON_QUARANTINE_CRASHES} times while it ran alone'`;

/**
 * running → ready where the lease is over, or failed as poison. A dead worker's jobs run alone next time. Only crashes
 * there count towards poison, so that a bad neighbour condemns nobody; nor does one that had the process while this job
 * still waited for it.
 */
async function expireLeases(
  tx: Queryable,
): Promise<{ id: number; queue: string; state: string }[]> {
  const { rows } = await tx.query<{ id: number; queue: string; state: string }>({
    name: "expire_leases",
    text: `with
      -- Leases that are over, and whether the job had the process to itself.
      expired as (
        select j.id, j.lane = ${QUARANTINE_RANK} and j.started_at is not null as alone
        from stage_job j where j.in_flight and j.state = 'running' and ${HELD_UNTIL} < now()
        order by j.id limit ${RECONCILED_MAX} for update skip locked),
      judged as (
        select e.id, e.alone, e.alone and ${QUARANTINE_CRASHES} + 1 >= ${POISON_QUARANTINE_CRASHES} as poison
        from expired e join stage_job j on j.id = any (array[e.id]))
      update stage_job j set ${toSet(
        choose(["judged.poison", poisoned(POISON_MESSAGE)], ["true", crashed("judged.alone")]),
      )}
      from judged where j.id = any (array[judged.id])
      returning j.id, j.queue, j.state`,
  });
  return rows;
}

/** The queue lost its hints: everything that was only queued is ready again. */
export async function requeueAll(tx: Queryable): Promise<number> {
  const { rows } = await tx.query<{ queue: string }>({
    name: "requeue_all",
    text: `with queued as (
        select id from stage_job where in_flight and state = 'queued' order by id for update skip locked)
      update stage_job j set ${toSet(RETURNED)} from queued where j.id = any (array[queued.id])
      returning j.queue`,
  });
  await notifyReady(
    tx,
    rows.map(({ queue }) => queue),
  );
  return rows.length;
}

async function notifyReady(tx: Queryable, queues: readonly string[]): Promise<void> {
  await notify(tx, "clipmill_ready", [...new Set(queues)]);
}
