import { isDeepStrictEqual } from "node:util";
import type { Queryable } from "../../database.ts";
import { countAhead, isAtCap } from "./placement.ts";
import type { Wanted } from "../plan/advancing-request.ts";
import type { ExistingJob } from "../plan/existing-jobs.ts";

/** An open job as it stands, and what a request that joins it would make of it. */
export interface Joining extends Wanted {
  job: Pick<ExistingJob, "id" | "lane" | "tenant" | "startBy" | "state" | "input">;
}

/**
 * Gives open jobs the place of the best-placed of the requests that need them: lane, tenant with its cap, latest start,
 * and the recipe if it has not started. All `joinings` of a job must be here together.
 */
export async function placeJobs(tx: Queryable, joinings: readonly Joining[]): Promise<void> {
  const contested = new Set(
    joinings.filter(({ job, request }) => request.tenant !== job.tenant).map(({ job }) => job.id),
  );
  await promote(
    tx,
    joinings.filter((joining) => !contested.has(joining.job.id) && changesPlace(joining)),
  );
  await contest(
    tx,
    joinings.filter(({ job }) => contested.has(job.id)),
  );
}

function changesPlace({ job, request, step }: Joining): boolean {
  if (request.lane < job.lane || job.startBy !== null) return true;
  const mayChange = !isStarted(job) && request.lane <= job.lane;
  return mayChange && !isDeepStrictEqual(job.input, JSON.parse(JSON.stringify(step.input)));
}

function isStarted({ state }: Joining["job"]): boolean {
  return state !== "ready" && state !== "queued";
}

/** A job in quarantine keeps that lane, the lowest rank: it might crash a worker that runs others beside it. */
const PLACE = `lane = least(j.lane, f.lane),
  start_by = case when j.start_by is null or f.start_by is null then null else greatest(j.start_by, f.start_by) end,
  input = case when f.input is not null and j.state in ('ready', 'queued') then f.input::jsonb else j.input end`;

/** For jobs that only one tenant needs. */
async function promote(tx: Queryable, joinings: readonly Joining[]): Promise<void> {
  if (joinings.length === 0) return;
  await tx.query({
    name: "promote_stage_jobs",
    text: `update stage_job j set ${PLACE}
      from (
        select id, min(lane) as lane, case when bool_and(start_by is not null) then max(start_by) end as start_by,
          (array_agg(input order by lane))[1] as input
        from unnest($1::bigint[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[])
          as asked (id, lane, tenant, start_by, input)
        group by id order by id) f
      where j.id = any (array[f.id])`,
    values: toColumns(joinings),
  });
}

/**
 * For jobs that requests of several tenants need: the tenant whose cap leaves room comes first, then the better lane,
 * then whoever has fewer jobs before it. Otherwise the job stays where it is.
 */
async function contest(tx: Queryable, joinings: readonly Joining[]): Promise<void> {
  if (joinings.length === 0) return;
  await tx.query({
    name: "contest_stage_jobs",
    text: `with
      -- What the requests that join ask for.
      asked as materialized (
        select * from unnest($1::bigint[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[])
          as asked (id, lane, tenant, start_by, input)),
      -- Their claims, and that of each job as it stands.
      claim as materialized (
        select id, lane, tenant, input, false as stands from asked
        union all
        select j.id, j.lane, j.tenant, null, true from (select distinct id from asked) a
        join stage_job j on j.id = any (array[a.id])),
      -- The best claim of each job. Only a ready job waits for the tenant's cap and for other jobs.
      best as (
        select distinct on (c.id) c.id, c.tenant, c.input
        from claim c join stage_job j on j.id = any (array[c.id])
        order by c.id, j.run_at is not null and ${isAtCap("j", "c.tenant")}, c.lane,
          case when j.run_at is not null then ${countAhead("j", "c.tenant", "c.lane")} end, c.stands desc),
      -- The best lane and the latest start of all of them.
      wish as (
        select id, min(lane) as lane, case when bool_and(start_by is not null) then max(start_by) end as start_by
        from asked group by id),
      f as (
        select w.*, b.tenant, b.input from wish w join best b on b.id = w.id)
      update stage_job j set tenant = f.tenant, ${PLACE} from f where j.id = any (array[f.id])`,
    values: toColumns(joinings),
  });
}

function toColumns(joinings: readonly Joining[]): unknown[] {
  return [
    joinings.map(({ job }) => job.id),
    joinings.map(({ request }) => request.lane),
    joinings.map(({ request }) => request.tenant),
    joinings.map(({ request }) => request.deadline),
    joinings.map(({ step }) => JSON.stringify(step.input)),
  ];
}
