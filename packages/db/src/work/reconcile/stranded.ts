import type { Stranded } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { advanceById } from "../plan/advance-attached.ts";
import type { Planning } from "../plan/planning.ts";

/** How many requests one round looks at: some milliseconds of reading, a million requests in 17 minutes. */
const LOOKED_AT_MAX = 5_000;

export interface StrandedRound extends Stranded {
  /** The next round begins after this id. Ids sort by age. */
  nextAfterId: string;
}

/**
 * Looks for open requests without an open job among the next requests, and plans them anew. Accepting and settling
 * never leave such a request, so it comes from a bug, or from a program of another version that did not know its kind.
 * Runs in the caller's transaction. The first round begins after "".
 */
export async function replanStranded(
  tx: Queryable,
  planning: Planning,
  afterId: string,
): Promise<StrandedRound> {
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
        where state = 'open' and not exists (
          select from request_stage_job l join stage_job j on j.id = any (array[l.stage_job_id])
          where l.request_id = any (array[looked_at.id]) and j.state in ('ready', 'queued', 'running', 'waiting'))) as stranded
      from looked_at`,
    values: [afterId],
  });
  const [round] = rows;
  const stranded = round?.stranded ?? [];
  const { left } = await advanceById(tx, planning, stranded);
  const nextAfterId = round?.count === LOOKED_AT_MAX ? (round.lastId ?? "") : "";
  return { replanned: stranded.filter((id) => !left.includes(id)), left, nextAfterId };
}
