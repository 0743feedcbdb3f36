import type { ClaimedJob, JobRef } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { toJobLane } from "../lane.ts";
import { REFS, toRefColumns } from "./refs.ts";
import { claimed, extended, inMs, STARTED_ALONE, toSet } from "../states.ts";

/** Of requests that need one job, in a log line. */
const TOLD_REQUESTS = 3;

/** SQL: some requests that need the job, as an array. */
const REQUEST_IDS = `array(select a.request_id from request_stage_job a where a.stage_job_id = j.id limit ${TOLD_REQUESTS})`;
const POST_ID = `(select r.post_id from request_stage_job a join request r on r.id = a.request_id
          where a.stage_job_id = j.id limit 1)`;

/** queued → running, for jobs whose epoch is current. A job in quarantine has not started yet: see `startAlone`. */
export async function claimJobs(
  tx: Queryable,
  refs: readonly JobRef[],
  workerId: string,
  leaseMs: number,
): Promise<ClaimedJob[]> {
  const { rows } = await tx.query<Omit<ClaimedJob, "lane"> & { lane: number }>({
    name: "claim_stage_jobs",
    text: `update stage_job j set ${toSet(claimed("$3", inMs("$4")))}
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'queued'
        and (j.start_by is null or j.start_by > now())
      returning j.id, j.epoch, j.stage, j.key, j.input, j.attempts, j.lane, j.expired_token as "expiredToken",
        greatest(0, extract(epoch from now() - j.created_at) * 1000)::float8 as "ageMs",
        ${REQUEST_IDS} as "requestIds", ${POST_ID} as "postId"`,
    values: [...toRefColumns(refs), workerId, leaseMs],
  });
  return rows.map((row) => ({ ...row, lane: toJobLane(row.lane) }));
}

/** Marks a running job of the quarantine lane as started. False if the caller no longer holds it. */
export async function startAlone(tx: Queryable, { id, epoch }: JobRef): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: "start_alone",
    text: `update stage_job j set ${toSet(STARTED_ALONE)} where j.id = $1 and j.epoch = $2 and j.state = 'running'`,
    values: [id, epoch],
  });
  return rowCount === 1;
}

/** Extends leases of running jobs. The caller no longer holds a job that is missing from the answer. */
export async function extendLeases(
  tx: Queryable,
  refs: readonly JobRef[],
  leaseMs: number,
): Promise<JobRef[]> {
  const { rows } = await tx.query<JobRef>({
    name: "extend_leases",
    text: `update stage_job j set ${toSet(extended(inMs("$3")))}
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'running'
      returning j.id, j.epoch`,
    values: [...toRefColumns(refs), leaseMs],
  });
  return rows;
}

/** Extends leases of jobs being settled; skips rows that the settling transaction has locked. */
export async function extendSettling(
  tx: Queryable,
  refs: readonly JobRef[],
  leaseMs: number,
): Promise<void> {
  await tx.query({
    name: "extend_settling",
    text: `with free as (
        select id from stage_job where id = any ($1::bigint[]) order by id for update skip locked)
      update stage_job j set ${toSet(extended(inMs("$3")))}
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'running'
        and ref.id = any (array(select id from free))`,
    values: [...toRefColumns(refs), leaseMs],
  });
}
