import type { CallIntent } from "@clipmill/domain";
import type { Queryable } from "../database.ts";

/**
 * Stores an entry for each paid call that is about to be made, if the caller still holds the job. Returns the ids of
 * the entries in order, null for jobs that the caller no longer holds.
 */
export async function openCalls(
  tx: Queryable,
  intents: readonly CallIntent[],
): Promise<(number | null)[]> {
  const { rows } = await tx.query<{ id: number; place: number }>({
    name: "open_calls",
    text: `with
      -- The calls whose jobs the caller still holds, each with an id for its entry.
      intent as (
        select i.*, nextval(pg_get_serial_sequence('cost_entry', 'id')) as call_id
        from unnest($1::bigint[], $2::integer[], $3::text[], $4::numeric[]) with ordinality
          as i (job_id, epoch, engine, usd, place)
        join stage_job j on j.id = any (array[i.job_id]) and j.epoch = i.epoch and j.state = 'running'),
      -- Stores their entries, as \`unknown\` at the estimate.
      stored as (
        insert into cost_entry (id, stage_job_id, epoch, engine, usd) overriding system value
        select call_id, job_id, epoch, engine, usd from intent
        returning id)
      select stored.id, intent.place from stored join intent on intent.call_id = stored.id`,
    values: [
      intents.map(({ job }) => job.id),
      intents.map(({ job }) => job.epoch),
      intents.map(({ engine }) => engine),
      intents.map(({ estimateUsd }) => estimateUsd),
    ],
  });
  const ids = new Map(rows.map(({ id, place }) => [place, id]));
  return intents.map((_, i) => ids.get(i + 1) ?? null);
}
