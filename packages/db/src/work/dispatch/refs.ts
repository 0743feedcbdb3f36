import type { JobRef } from "@clipmill/domain";

/**
 * A sorted list of job refs. A statement that joins to it by primary key finds and locks its rows in id order, as every
 * writer must. Its parameters are $1 and $2: see `toRefColumns`.
 */
export const REFS =
  "(select * from unnest($1::bigint[], $2::integer[]) as r (id, epoch) order by r.id) ref";

export function toRefColumns(refs: readonly JobRef[]): [ids: number[], epochs: number[]] {
  return [refs.map(({ id }) => id), refs.map(({ epoch }) => epoch)];
}
