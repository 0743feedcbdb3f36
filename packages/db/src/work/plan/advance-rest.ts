import type { Queryable } from "../../database.ts";
import { ADVANCING_COLUMNS, advanceRows, type RequestRow } from "./advance-rows.ts";
import type { Planning } from "./planning.ts";

/** Notes that of the open requests which need these ended jobs, those after this id are still to be planned. */
export async function noteRest(
  tx: Queryable,
  jobIds: readonly number[],
  afterId: string,
): Promise<void> {
  await tx.query({
    name: "note_requests_to_advance",
    text: `insert into requests_to_advance (stage_job_id, after_id)
      select id, $2 from unnest($1::bigint[]) as ended (id) order by id
      on conflict (stage_job_id) do update set after_id = excluded.after_id`,
    values: [jobIds, afterId],
  });
}

/**
 * Locks the next page of requests whose job has ended, and moves on behind it in the caller's transaction. Null if
 * nothing is left, or if other transactions plan what is left.
 */
export async function takeRestPage(
  tx: Queryable,
  { advancedMax }: Pick<Planning, "advancedMax">,
): Promise<RequestRow[] | null> {
  const { rows: noted } = await tx.query<{ jobId: number; afterId: string }>({
    name: "lock_requests_to_advance",
    text: `select stage_job_id as "jobId", after_id as "afterId" from requests_to_advance
      order by stage_job_id limit 1 for update skip locked`,
  });
  const [rest] = noted;
  if (rest === undefined) return null;
  const { jobId, afterId } = rest;
  const { rows: requests } = await tx.query<RequestRow>({
    name: "lock_rest_of_requests",
    text: `select ${ADVANCING_COLUMNS} from request r
      where r.state = 'open'
        and r.id = any (array(
          select l.request_id from request_stage_job l where l.stage_job_id = $1 and l.request_id > $2))
      order by r.id
      limit $3
      for update of r`,
    values: [jobId, afterId, advancedMax],
  });
  const last = requests.length < advancedMax ? undefined : requests.at(-1);
  if (last === undefined)
    await tx.query({
      name: "end_requests_to_advance",
      text: "delete from requests_to_advance where stage_job_id = $1",
      values: [jobId],
    });
  else await noteRest(tx, [jobId], last.id);
  return requests;
}

/** Plans the next page, in the caller's transaction. Returns how many requests it planned; null as `takeRestPage`. */
export async function advanceRest(tx: Queryable, planning: Planning): Promise<number | null> {
  const page = await takeRestPage(tx, planning);
  if (page === null) return null;
  await advanceRows(tx, planning, page);
  return page.length;
}
