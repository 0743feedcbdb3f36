import type { QueueName, ReconcileCounts } from "@clipmill/domain";
import type pg from "pg";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { isolate } from "../isolate.ts";
import { QUARANTINE_RANK } from "../lane.ts";
import { advanceAttached } from "../plan/advance-attached.ts";
import type { Planning } from "../plan/planning.ts";
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
} from "../states.ts";

/** Bounds one transaction. What is left is done in the next round. */
const RECONCILED_MAX = 1_000;

/** A job that crashed its worker this often while it ran alone is the cause of the crashes. */
const POISON_QUARANTINE_CRASHES = 3;

/**
 * Makes jobs ready whose hint, wait or lease is over; leases and waits only unless they are spared. A row that cannot be
 * changed stops only itself: see `failures`. Skips rows that another transaction has locked: it is about to change them.
 */
export async function reconcileJobs(
  pool: pg.Pool,
  planning: Planning,
  { spareLeases }: { spareLeases: boolean },
): Promise<ReconcileCounts> {
  const failures: unknown[] = [];
  async function change<Changed>(
    ids: readonly string[],
    write: (tx: Queryable, ids: readonly string[]) => Promise<Changed[]>,
  ): Promise<Changed[]> {
    const written = await isolate(pool, ids, write);
    failures.push(...written.failures);
    return written.results.flat();
  }
  const requeued = await change(await findOverdue(pool, "queued"), requeueOverdue);
  // While nobody could extend a lease, nobody could resolve a token either.
  const timedOut = spareLeases ? [] : await change(await findWaits(pool), expireWaits);
  const expired = spareLeases
    ? []
    : await change(await findOverdue(pool, "running"), (tx, ids) =>
        expireLeases(tx, planning, ids),
      );
  const poisoned = expired.filter(({ state }) => state === "failed").length;
  return {
    requeued: requeued.length,
    expired: expired.length - poisoned,
    poisoned,
    timedOut: timedOut.length,
    ...(failures.length > 0 ? { failures } : {}),
  };
}

/** Ids of jobs whose hint or lease is over. */
async function findOverdue(tx: Queryable, state: "queued" | "running"): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: `find_overdue_${state}`,
    text: `select j.id::text from stage_job j where j.in_flight and j.state = '${state}' and ${HELD_UNTIL} < now()
      order by j.id limit ${RECONCILED_MAX}`,
  });
  return rows.map(({ id }) => id);
}

/** Tokens of waits that are over, the longest first. */
async function findWaits(tx: Queryable): Promise<string[]> {
  const { rows } = await tx.query<{ token: string }>({
    name: "find_waits_over",
    text: `select token from stage_wait where expires_at < now() order by expires_at limit ${RECONCILED_MAX}`,
  });
  return rows.map(({ token }) => token);
}

/** queued → ready if the hint's time is over. */
async function requeueOverdue(
  tx: Queryable,
  ids: readonly string[],
): Promise<{ queue: QueueName }[]> {
  const { rows } = await tx.query<{ queue: QueueName }>({
    name: "requeue_overdue",
    text: `with overdue as (
        select j.id from stage_job j
        where j.id = any ($1::bigint[]) and j.state = 'queued' and ${HELD_UNTIL} < now()
        order by j.id for update skip locked)
      update stage_job j set ${toSet(RETURNED)} from overdue where j.id = any (array[overdue.id])
      returning j.queue`,
    values: [ids],
  });
  await notifyReady(tx, rows);
  return rows;
}

/** waiting → ready if nobody resolved the token in time. */
async function expireWaits(
  tx: Queryable,
  tokens: readonly string[],
): Promise<{ queue: QueueName }[]> {
  const { rows } = await tx.query<{ queue: QueueName }>({
    name: "expire_waits",
    text: `with
      -- Waits that are over. A row that another transaction is resolving is skipped.
      over as materialized (
        select token, stage_job_id, epoch from stage_wait
        where token = any ($1::text[]) and expires_at < now() for update skip locked),
      -- Those of their jobs that still wait, locked in id order.
      waiting as materialized (
        select j.id, o.token from (select * from over order by stage_job_id) o
        join stage_job j on j.id = any (array[o.stage_job_id]) and j.epoch = o.epoch and j.state = 'waiting'
        for update of j skip locked),
      -- Deletes the waits of these jobs, and those whose job no longer waits. A job that is locked keeps its wait.
      dropped as (
        delete from stage_wait w using over
        where w.token = any (array[over.token]) and (over.token in (select token from waiting)
          or not ${isWaiting("over")}))
      update stage_job j set ${toSet(timedOut("waiting.token"))} from waiting where j.id = any (array[waiting.id])
      returning j.queue`,
    values: [tokens],
  });
  await notifyReady(tx, rows);
  return rows;
}

const POISON_MESSAGE = `'the job crashed its worker ${POISON_QUARANTINE_CRASHES} times while it ran alone'`;

/**
 * running → ready if the lease is over, or failed as poison. The jobs of a dead worker run alone from then on. Only
 * crashes while a job had the process to itself count towards poison: otherwise a job would fail for the crashes of
 * another one that ran beside it, or that it was waiting for.
 */
async function expireLeases(
  tx: Queryable,
  planning: Planning,
  ids: readonly string[],
): Promise<{ state: string }[]> {
  const { rows } = await tx.query<{ id: number; queue: QueueName; state: string }>({
    name: "expire_leases",
    text: `with
      -- Jobs whose lease is over, and whether they had the process to themselves.
      expired as (
        select j.id, j.lane = ${QUARANTINE_RANK} and j.started_at is not null as alone
        from stage_job j where j.id = any ($1::bigint[]) and j.state = 'running' and ${HELD_UNTIL} < now()
        order by j.id for update skip locked),
      -- Whether this crash makes the job poison.
      judged as (
        select e.id, e.alone, e.alone and ${QUARANTINE_CRASHES} + 1 >= ${POISON_QUARANTINE_CRASHES} as poison
        from expired e join stage_job j on j.id = any (array[e.id]))
      update stage_job j set ${toSet(
        choose(["judged.poison", poisoned(POISON_MESSAGE)], ["true", crashed("judged.alone")]),
      )}
      from judged where j.id = any (array[judged.id])
      returning j.id, j.queue, j.state`,
    values: [ids],
  });
  const poison = rows.filter(({ state }) => state === "failed");
  await advanceAttached(
    tx,
    planning,
    poison.map(({ id }) => id),
  );
  await notifyReady(tx, rows);
  return rows;
}

/** queued → ready for all jobs, after the queue has lost its hints. Returns how many. */
export async function requeueAll(tx: Queryable): Promise<number> {
  const { rows } = await tx.query<{ queue: QueueName }>({
    name: "requeue_all",
    text: `with queued as (
        select id from stage_job where in_flight and state = 'queued' order by id for update skip locked)
      update stage_job j set ${toSet(RETURNED)} from queued where j.id = any (array[queued.id])
      returning j.queue`,
  });
  await notifyReady(tx, rows);
  return rows.length;
}

async function notifyReady(tx: Queryable, jobs: readonly { queue: QueueName }[]): Promise<void> {
  await notify(tx, "clipmill_ready", [...new Set(jobs.map(({ queue }) => queue))]);
}
