import type { Stranded } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { advanceById } from "../plan/advance-attached.ts";
import type { Planning } from "../plan/planning.ts";

/** How many requests one round looks at: some milliseconds of reading, a million requests in 17 minutes. */
const LOOKED_AT_MAX = 5_000;

/** SQL: whether a job of the request with this id is open. */
const hasOpenJob = (requestId: string) => `exists (
  select from request_stage_job l join stage_job j on j.id = any (array[l.stage_job_id])
  where l.request_id = any (array[${requestId}]) and j.state in ('ready', 'queued', 'running', 'waiting'))`;

export interface StrandedPage {
  ids: string[];
  /** The next round begins after this id. Ids sort by age. */
  nextAfterId: string;
}

/**
 * Looks for open requests without an open job among the next requests. Accepting and settling never leave such a
 * request, so it comes from a bug, or from a program of another version that did not know its kind. Requests that
 * wait for their page of `advanceRest` are left out. The first round begins after "".
 */
export async function findStranded(tx: Queryable, afterId: string): Promise<StrandedPage> {
  const { rows } = await tx.query<{
    lastId: string | null;
    count: number;
    stranded: string[] | null;
  }>({
    name: "find_stranded",
    text: `with
      -- The next requests by id, open or not. There is no index of open requests: it would slow down the end of each
      -- one.
      looked_at as materialized (
        select id, state from request where id > $1 order by id limit ${LOOKED_AT_MAX})
      select max(id) as "lastId", count(*) as count, array_agg(id order by id) filter (
        where state = 'open' and not ${hasOpenJob("looked_at.id")} and not exists (
          select from request_stage_job l join requests_to_advance t on t.stage_job_id = any (array[l.stage_job_id])
          where l.request_id = any (array[looked_at.id]) and looked_at.id > t.after_id)) as stranded
      from looked_at`,
    values: [afterId],
  });
  const [round] = rows;
  const nextAfterId = round?.count === LOOKED_AT_MAX ? (round.lastId ?? "") : "";
  return { ids: round?.stranded ?? [], nextAfterId };
}

/**
 * Plans stranded requests anew, in the caller's transaction. Those that another reconciler has planned meanwhile are
 * left out.
 */
export async function replan(
  tx: Queryable,
  planning: Planning,
  ids: readonly string[],
): Promise<Stranded> {
  await tx.query({
    name: "lock_stranded",
    text: `select id from request where id = any ($1::text[]) and state = 'open' order by id for update`,
    values: [ids],
  });
  // A statement of its own, so that it sees what was stored while the lock was waited for.
  const { rows } = await tx.query<{ id: string }>({
    name: "find_still_stranded",
    text: `select r.id from request r
      where r.id = any ($1::text[]) and r.state = 'open' and not ${hasOpenJob("r.id")} order by r.id`,
    values: [ids],
  });
  const stranded = rows.map(({ id }) => id);
  const { left } = await advanceById(tx, planning, stranded);
  return { replanned: stranded.filter((id) => !left.includes(id)), left };
}
