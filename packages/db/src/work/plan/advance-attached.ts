import type { Queryable } from "../../database.ts";
import type { Advanced } from "./advance.ts";
import { noteRest } from "./advance-rest.ts";
import { ADVANCING_COLUMNS, advanceRows, type RequestRow } from "./advance-rows.ts";
import type { Planning } from "./planning.ts";

/**
 * Plans the next steps of the open requests that need jobs which have just ended, in the caller's transaction: the
 * oldest `advancedMax` of them. If there are more, they are noted for the reconciler.
 */
export async function advanceAttached(
  tx: Queryable,
  planning: Planning,
  endedIds: readonly number[],
): Promise<Advanced> {
  if (endedIds.length === 0) return await advanceRows(tx, planning, []);
  // Locked in id order, and before the states of their jobs are read: so a step that waits for several others is
  // planned once, by the transaction that ends the last of them.
  const { rows } = await tx.query<RequestRow>({
    name: "lock_attached_requests",
    text: `select ${ADVANCING_COLUMNS} from request r
      where r.state = 'open'
        and r.id = any (array(
          select l.request_id from request_stage_job l where l.stage_job_id = any ($1::bigint[])))
      order by r.id
      limit $2
      for update of r`,
    values: [endedIds, planning.advancedMax + 1],
  });
  const page = rows.slice(0, planning.advancedMax);
  const last = page.at(-1);
  if (last !== undefined && rows.length > page.length) await noteRest(tx, endedIds, last.id);
  return await advanceRows(tx, planning, page);
}

/** Plans those of these requests that are open again. */
export async function advanceById(
  tx: Queryable,
  planning: Planning,
  ids: readonly string[],
): Promise<Advanced> {
  if (ids.length === 0) return await advanceRows(tx, planning, []);
  const { rows } = await tx.query<RequestRow>({
    name: "lock_requests_by_id",
    text: `select ${ADVANCING_COLUMNS} from request r
      where r.state = 'open' and r.id = any ($1::text[]) order by r.id for update of r`,
    values: [ids],
  });
  return await advanceRows(tx, planning, rows);
}
