import type { FileProducers, StorageKey } from "@clipmill/domain";
import { type Database, type Queryable, withTransaction } from "../database.ts";
import { notify } from "../notify.ts";
import { RENEWED, toSet } from "../work/states.ts";
import { createProducerQuery, FILE_TABLES, splitKey } from "./producers.ts";

/**
 * Makes a lost file again: those jobs that made it and that an open request needs become ready. These requests are
 * unlinked from their later jobs, so that the planner plans these again when the file is back, perhaps with another
 * hash. Returns how many jobs run again; 0 if no open request needs the file, or if they run already.
 */
export function createRefetch(
  { pool }: Pick<Database, "pool">,
  { producers }: { producers: FileProducers },
): (key: StorageKey) => Promise<number> {
  const queries = {
    media: createProducerQuery("media", producers),
    audio: createProducerQuery("audio", producers),
  };
  return (key) =>
    withTransaction(pool, async (tx) => {
      const { kind, sha256 } = splitKey(key);
      const { lock, stage } = queries[kind];
      const { rows: made } = await tx.query<{ id: number }>({
        name: `lock_producers_${kind}`,
        text: lock,
        values: [sha256, stage],
      });
      const { table, hash } = FILE_TABLES[kind];
      await tx.query({
        name: `mark_lost_${kind}`,
        text: `update ${table} set removed_at = now() where ${hash} = $1 and removed_at is null`,
        values: [sha256],
      });
      return await runAgain(
        tx,
        made.map(({ id }) => id),
      );
    });
}

async function runAgain(tx: Queryable, ids: readonly number[]): Promise<number> {
  if (ids.length === 0) return 0;
  // Locked in id order, before anything is written, as the settling transaction does.
  const { rows: requests } = await tx.query<{ id: string }>({
    name: "lock_refetching_requests",
    text: `select r.id from request r
      where r.state = 'open' and r.id = any (array(
        select l.request_id from request_stage_job l where l.stage_job_id = any ($1::bigint[])))
      order by r.id
      for update of r`,
    values: [ids],
  });
  if (requests.length === 0) return 0;
  const requestIds = requests.map(({ id }) => id);
  const { rows } = await tx.query<{ queue: string }>({
    name: "reopen_producers",
    text: `update stage_job j set ${toSet(RENEWED, { lane: "best.lane", tenant: "best.tenant", start_by: "null" })}
      from unnest($1::bigint[]) as producer (id), lateral (
        select r.lane, r.tenant from request_stage_job l join request r on r.id = any (array[l.request_id])
        where l.stage_job_id = any (array[producer.id]) and r.id = any ($2::text[])
        order by r.lane, r.id limit 1) best
      where j.id = any (array[producer.id])
      returning j.queue`,
    values: [ids, requestIds],
  });
  await tx.query({
    name: "unlink_waiting_jobs",
    text: `delete from request_stage_job l using stage_job j
      where l.request_id = any ($2::text[]) and j.id = any (array[l.stage_job_id])
        and j.id <> all ($1::bigint[]) and j.state not in ('done', 'skipped')`,
    values: [ids, requestIds],
  });
  await notify(tx, "clipmill_ready", [...new Set(rows.map((row) => row.queue))]);
  return rows.length;
}
