import type { JobRef } from "@clipmill/domain";

/**
 * Rows are found one by one from this list by their primary key, so they are locked in id order, as every writer locks
 * them. Its values are the first two of the statement: see `toRefColumns`.
 */
export const REFS =
  "(select * from unnest($1::bigint[], $2::integer[]) as r (id, epoch) order by r.id) ref";

export function toRefColumns(refs: readonly JobRef[]): [ids: number[], epochs: number[]] {
  return [refs.map(({ id }) => id), refs.map(({ epoch }) => epoch)];
}
