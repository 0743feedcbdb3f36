import type { QueueName } from "@clipmill/domain";
import type { Database } from "../database.ts";

export interface QueueCounts {
  queue: QueueName;
  /** May run now. */
  ready: number;
  /** Waits for its next attempt. */
  delayed: number;
  queued: number;
  running: number;
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
      (select count(*) from (select 1 from stage_job where queue = q.queue and run_at > now() limit ${COUNTED_MAX}) n) as delayed,
      (select count(*) from stage_job where queue = q.queue and in_flight and state = 'queued') as queued,
      (select count(*) from stage_job where queue = q.queue and in_flight and state = 'running') as running,
      (select count(*) from (select 1 from stage_job where queue = q.queue and dead limit ${COUNTED_MAX}) n) as dead
    from unnest($1::text[]) as q (queue)`,
    [queues],
  );
  return rows;
}
