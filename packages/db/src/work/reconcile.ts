import type { ReconcileCounts } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { notify } from "../notify.ts";
import { QUARANTINE_RANK } from "./lane.ts";
import { advanceAttached, type Planning } from "./settle.ts";

/** Bounds one transaction; what is left over is taken in the next round. */
const RECONCILED_MAX = 1_000;

/** A job that killed its worker this often while it ran alone is the culprit, not a bystander. */
const POISON_QUARANTINE_CRASHES = 3;

/**
 * Returns to `ready` what was queued or, unless leases are spared, leased past its deadline. Rows that somebody holds
 * are skipped: their holder is alive. Runs in the caller's transaction.
 */
export async function reconcileJobs(
  tx: Queryable,
  planning: Planning,
  { spareLeases }: { spareLeases: boolean },
): Promise<ReconcileCounts> {
  const requeued = await tx.query<{ queue: string }>({
    name: "requeue_overdue",
    text: `with overdue as (
        select id from stage_job where in_flight and state = 'queued' and deadline < now()
        order by id limit ${RECONCILED_MAX} for update skip locked)
      update stage_job j set state = 'ready', run_at = j.created_at, deadline = null
      from overdue where j.id = any (array[overdue.id])
      returning j.queue`,
  });
  // A dead worker's jobs run alone next time. Only crashes there count, so that a bad neighbour condemns nobody; nor
  // does one that had the process while this job still waited for it.
  const expired = await tx.query<{ id: number; queue: string; state: string }>({
    name: "expire_leases",
    text: `with expired as (
        select id, lane = ${QUARANTINE_RANK} and started_at is not null as solo from stage_job where in_flight and state = 'running' and deadline < now() and not $1
        order by id limit ${RECONCILED_MAX} for update skip locked),
      judged as (
        select e.id, e.solo, e.solo and j.solo_crashes + 1 >= ${POISON_QUARANTINE_CRASHES} as poison
        from expired e join stage_job j on j.id = any (array[e.id]))
      update stage_job j set
        state = case when judged.poison then 'failed' else 'ready' end,
        run_at = case when judged.poison then null else now() end,
        deadline = null, started_at = case when judged.poison then j.started_at end, worker_id = null,
        finished_at = case when judged.poison then now() end,
        error_code = case when judged.poison then 'poison' else j.error_code end,
        error_message = case when judged.poison then 'the job ended its worker ${POISON_QUARANTINE_CRASHES} times while it ran alone' else j.error_message end,
        crashes = j.crashes + 1, solo_crashes = j.solo_crashes + judged.solo::int, lane = ${QUARANTINE_RANK}
      from judged where j.id = any (array[judged.id])
      returning j.id, j.queue, j.state`,
    values: [spareLeases],
  });
  const poisoned = expired.rows.filter((row) => row.state === "failed");
  await advanceAttached(
    tx,
    planning,
    poisoned.map((row) => row.id),
  );
  await notify(tx, "clipmill_ready", [
    ...new Set([...requeued.rows, ...expired.rows].map((row) => row.queue)),
  ]);
  return {
    requeued: requeued.rows.length,
    expired: expired.rows.length - poisoned.length,
    poisoned: poisoned.length,
  };
}

/** The queue lost its hints: everything that was only queued is ready again. */
export async function requeueAll(tx: Queryable): Promise<number> {
  const { rows } = await tx.query<{ queue: string }>({
    name: "requeue_all",
    text: `with queued as (
        select id from stage_job where in_flight and state = 'queued' order by id for update skip locked)
      update stage_job j set state = 'ready', run_at = j.created_at, deadline = null
      from queued where j.id = any (array[queued.id])
      returning j.queue`,
  });
  await notify(tx, "clipmill_ready", [...new Set(rows.map((row) => row.queue))]);
  return rows.length;
}
