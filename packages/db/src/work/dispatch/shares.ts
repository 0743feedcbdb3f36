/**
 * Constants and formulas of scheduling. `dispatch.ts` chooses which ready jobs are queued next, `plan/insert-jobs.ts`
 * which new jobs are queued or started at once. Both must agree on what is fair.
 */

/** Lanes below `interactive` get at least these shares of the dispatched jobs, if they have ready jobs. */
export const STANDARD_SHARE = 0.3;
export const BACKFILL_SHARE = 0.1;

/** A window holds at most this many times its size, overflow included. */
export const OVERFLOW_WINDOW = 4 / 3;

/**
 * SQL: whether a tenant with this many jobs in flight in a queue has at most half of its fair share there. The fair
 * share is all jobs in flight there, divided by the number of tenants that have any.
 */
export function isUnderShare(jobs: string, of: { inFlight: string; tenants: string }): string {
  return `${jobs} * 2 * greatest(1, ${of.tenants}) <= ${of.inFlight}`;
}
