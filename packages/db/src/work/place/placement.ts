/**
 * How well a tenant's claim to a job places it: SQL expressions about a job, whose alias is `job`. A job that several
 * tenants need stands under the one that gets it done first.
 */

/** Beyond this many jobs a place is only far behind, and need not be counted. */
const AHEAD_MAX = 200;

const countInFlight = (job: string, tenant: string) => `(
  select count(*) from stage_job f where f.queue = ${job}.queue and f.in_flight and f.tenant = ${tenant})`;

/** SQL: whether the tenant's cap leaves no room in the job's queue now. */
export const isAtCap = (job: string, tenant: string) => `coalesce((
  select ${countInFlight(job, tenant)} >= t.max_in_flight from tenant t
  where t.id = ${tenant} and t.max_in_flight is not null), false)`;

/** SQL: how many jobs of the tenant would go before this ready job in that lane, for the tenant's weight. */
export const countAhead = (job: string, tenant: string, lane: string) => `(
  ${countInFlight(job, tenant)} + (select count(*) from (
    select from stage_job a where a.queue = ${job}.queue and a.lane = ${lane} and a.tenant = ${tenant}
      and a.run_at is not null and (a.run_at, a.id) < (${job}.run_at, ${job}.id) limit ${AHEAD_MAX}) ahead)
  )::float8 / coalesce((select t.weight from tenant t where t.id = ${tenant}), 1)`;
