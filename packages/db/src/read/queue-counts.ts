import type { QueueName } from "@clipmill/domain";
import type { Database } from "../database.ts";

/** How the jobs of one queue stand in Postgres, which is the record; BullMQ holds only a small window of them. */
export interface QueueCounts {
  queue: QueueName;
  /** May run now: waits to be given to BullMQ. */
  ready: number;
  /** Waits until its next attempt may start. Not part of `ready`. */
  retrying: number;
  /** Given to BullMQ, not started. */
  queued: number;
  running: number;
  /** Failed for good, in the dead letter. */
  dead: number;
}

/** Counting stops here: a dashboard that counts ten million rows every few seconds is a load of its own. */
const COUNTED_MAX = 100_000;

/** How many jobs stand where, per queue, counted to 100,000. */
export async function countJobs(
  { pool }: Pick<Database, "pool">,
  queues: readonly QueueName[],
): Promise<QueueCounts[]> {
  const { rows } = await pool.query<QueueCounts>(
    `select q.queue,
      (select count(*) from (select 1 from stage_job where queue = q.queue and run_at <= now() limit ${COUNTED_MAX}) n) as ready,
      (select count(*) from (select 1 from stage_job where queue = q.queue and run_at > now() limit ${COUNTED_MAX}) n) as retrying,
      (select count(*) from stage_job where queue = q.queue and in_flight and state = 'queued') as queued,
      (select count(*) from stage_job where queue = q.queue and in_flight and state = 'running') as running,
      (select count(*) from (select 1 from stage_job where queue = q.queue and dead limit ${COUNTED_MAX}) n) as dead
    from unnest($1::text[]) as q (queue)`,
    [queues],
  );
  return rows;
}
