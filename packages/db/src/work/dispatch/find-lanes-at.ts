import type { JobLane, QueueName } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { toJobLane } from "../lane.ts";

/** A queue whose workers have not reported for longer than this is not served: see `read/stops.ts`. */
const SILENT_MS = 5_000;

/** See `WorkStore.findLanesAt`. Looks at twice as many jobs as the place says, however many are ready. */
export async function findLanesAt(
  tx: Queryable,
  places: ReadonlyMap<QueueName, number>,
): Promise<ReadonlyMap<QueueName, JobLane>> {
  const { rows } = await tx.query<{ queue: QueueName; lane: number }>({
    name: "find_lanes_at",
    text: `select w.queue, due.lane
      from unnest($1::text[], $2::int[]) as asked (queue, place)
        join work_queue w on w.queue = asked.queue and w.trouble is null
          and w.drained_at > now() - interval '1 ms' * $3::int
        cross join lateral (
          select lane from (
            select j.lane, j.run_at from stage_job j where j.queue = asked.queue and j.run_at is not null
            order by j.lane limit 2 * asked.place) j
          where j.run_at <= now() order by lane offset asked.place - 1 limit 1) due`,
    values: [[...places.keys()], [...places.values()], SILENT_MS],
  });
  return new Map(rows.map(({ queue, lane }) => [queue, toJobLane(lane)]));
}
