import type { QueueName } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";

/**
 * The earliest ready job of each lane and tenant, one index lookup each, until one is due. The condition is the one of
 * `dispatch.ts` without what only a transaction of its own can tell: room, caps and locks.
 */
const FIND_DUE = `
with recursive earliest as (
  select j.* from unnest($1::text[]) as asked (queue) cross join lateral (
    select j.queue, j.lane, j.tenant, j.run_at from stage_job j
    where j.queue = asked.queue and j.run_at is not null
    order by j.lane, j.tenant, j.run_at limit 1) j
  union all
  select n.* from earliest e cross join lateral (
    select j.queue, j.lane, j.tenant, j.run_at from stage_job j
    where j.queue = e.queue and j.run_at is not null and (j.lane, j.tenant) > (e.lane, e.tenant)
    order by j.lane, j.tenant, j.run_at limit 1) n
  where e.run_at > now()
)
select queue, greatest(0, extract(epoch from min(run_at) - now()) * 1000)::float8 as "dueInMs" from earliest group by queue`;

/** See `WorkStore.findDue`. */
export async function findDueQueues(
  tx: Queryable,
  queues: readonly QueueName[],
): Promise<ReadonlyMap<QueueName, number>> {
  const { rows } = await tx.query<{ queue: QueueName; dueInMs: number }>({
    name: "find_due_queues",
    text: FIND_DUE,
    values: [queues],
  });
  return new Map(rows.map(({ queue, dueInMs }) => [queue, dueInMs]));
}
