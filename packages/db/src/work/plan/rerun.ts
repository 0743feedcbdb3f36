import { isErrorCode, type PlannedStep, type RerunPolicy } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { RENEWED, toSet } from "../states.ts";
import { toMapKey, type Wanted } from "./advancing-request.ts";
import type { ExistingJob } from "./existing-jobs.ts";

/** A step that a request needs, and the job of it that exists already. */
interface Wish extends Wanted {
  job: ExistingJob;
}

/**
 * Makes ended jobs run again if they failed or were cancelled, or if their stage's `rerun` says so. Returns the map keys
 * of the jobs that run again.
 */
export async function renewJobs(
  tx: Queryable,
  rerun: RerunPolicy,
  wanted: readonly Wanted[],
  existing: ReadonlyMap<string, ExistingJob>,
): Promise<Set<string>> {
  const wishes = wanted.flatMap((want): Wish[] => {
    const job = existing.get(toMapKey(want.step));
    return job === undefined ? [] : [{ ...want, job }];
  });
  const again = wishes.filter(
    ({ job, step }) => isUnread(job, step) || mustRunAgain(rerun, job, step.input),
  );
  await renew(tx, again);
  return new Set(again.map(({ step }) => toMapKey(step)));
}

/** Done, with an output that the request which needs it cannot read. */
export function isUnread({ state }: ExistingJob, { again = false }: PlannedStep): boolean {
  return again && state === "done";
}

function mustRunAgain(rerun: RerunPolicy, job: ExistingJob, asked: unknown): boolean {
  switch (job.state) {
    case "failed":
    case "cancelled":
      return true;
    case "done":
    case "skipped":
      return rerun(job.stage, {
        state: job.state,
        key: job.key,
        input: job.input,
        asked,
        output: job.output,
        code: isErrorCode(job.errorCode) ? job.errorCode : null,
        endedMsAgo: job.endedMsAgo ?? 0,
        isAvailable: (engine) => job.liveEngines?.includes(engine) ?? false,
      });
    default:
      return false;
  }
}

async function renew(tx: Queryable, wishes: readonly Wish[]): Promise<void> {
  if (wishes.length === 0) return;
  const placed = {
    lane: "a.lane",
    tenant: "a.tenant",
    start_by: "a.start_by",
    input: "a.input::jsonb",
    unreadable_runs: "case when a.unread then j.unreadable_runs + 1 else 0 end",
  };
  await tx.query({
    name: "renew_stage_jobs",
    text: `update stage_job j set ${toSet(RENEWED, placed)}
      from unnest($1::bigint[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::boolean[])
        as a (id, lane, tenant, start_by, input, unread)
      where j.id = any (array[a.id])`,
    values: [
      ...toPlaceColumns(wishes),
      wishes.map(({ step }) => JSON.stringify(step.input)),
      wishes.map(({ job, step }) => isUnread(job, step)),
    ],
  });
}

function toPlaceColumns(wishes: readonly Wish[]): unknown[] {
  return [
    wishes.map(({ job }) => job.id),
    wishes.map(({ request }) => request.lane),
    wishes.map(({ request }) => request.tenant),
    wishes.map(({ request }) => request.deadline),
  ];
}
