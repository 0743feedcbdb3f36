/**
 * The figures and formulas of scheduling that several statements share. `dispatch.ts` chooses what is queued next,
 * `plan/insert-jobs.ts` what is queued or started at once; both have to agree on what is fair.
 */

/** Waiting work of the lanes below `interactive` keeps these shares of what is dispatched. */
export const STANDARD_SHARE = 0.3;
export const BACKFILL_SHARE = 0.1;

/** With what overflows, a window holds at most so many times its size. */
export const OVERFLOW_WINDOW = 4 / 3;

/**
 * SQL: whether a tenant with so many jobs in flight has less than half of its fair share of a queue, which is one part of
 * all that is in flight there for each tenant that has any.
 */
export function isUnderShare(jobs: string, of: { inFlight: string; tenants: string }): string {
  return `${jobs} * 2 * greatest(1, ${of.tenants}) <= ${of.inFlight}`;
}
