import type { QueueName } from "@clipmill/domain";
import type { Database } from "../database.ts";

/** How many jobs of one queue are in which state in Postgres. BullMQ holds only a small window of them. */
export interface QueueCounts {
  queue: QueueName;
  /** May run now and wait for a dispatcher. */
  ready: number;
  /** Wait until their next attempt may start. Not part of `ready`. */
  retrying: number;
  /** Dispatched, not claimed. */
  queued: number;
  running: number;
  /** Wait for something outside, such as a provider's batch. Counted to 10,000 over all queues. */
  waiting: number;
  /** Failed for good, in the dead letter. */
  dead: number;
}

/** Counting stops here: a dashboard that counted ten million rows every few seconds would load the database. */
const COUNTED_MAX = 100_000;

/** Each wait costs a lookup of its job. */
const WAITS_COUNTED_MAX = 10_000;

/** Counts the jobs of each queue, up to 100,000 of each state. */
export async function countJobs(
  { pool }: Pick<Database, "pool">,
  queues: readonly QueueName[],
): Promise<QueueCounts[]> {
  const { rows } = await pool.query<QueueCounts>(
    `with waits as (
        select j.queue, count(*) as count
        from (select stage_job_id, epoch from stage_wait limit ${WAITS_COUNTED_MAX}) w
        join stage_job j on j.id = any (array[w.stage_job_id]) and j.epoch = w.epoch and j.state = 'waiting'
        group by 1)
      select q.queue,
      (select count(*) from (select 1 from stage_job where queue = q.queue and run_at <= now() limit ${COUNTED_MAX}) n) as ready,
      (select count(*) from (select 1 from stage_job where queue = q.queue and run_at > now() limit ${COUNTED_MAX}) n) as retrying,
      (select count(*) from stage_job where queue = q.queue and in_flight and state = 'queued') as queued,
      (select count(*) from stage_job where queue = q.queue and in_flight and state = 'running') as running,
      coalesce((select count from waits where waits.queue = q.queue), 0) as waiting,
      (select count(*) from (select 1 from stage_job where queue = q.queue and dead limit ${COUNTED_MAX}) n) as dead
    from unnest($1::text[]) as q (queue)`,
    [queues],
  );
  return rows;
}
