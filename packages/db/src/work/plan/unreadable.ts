import type { Queryable } from "../../database.ts";
import { toSet, unread } from "../states.ts";
import { toMapKey, type Wanted } from "./advancing-request.ts";
import type { ExistingJob } from "./existing-jobs.ts";
import { isUnread } from "./rerun.ts";

/**
 * How often a job may run again because its output cannot be read. One run replaces what an earlier version stored; a
 * second one allows for workers of that version that still run.
 */
const UNREADABLE_RUNS_MAX = 2;

const MESSAGE = "its output cannot be read, although it ran again";

/**
 * Fails the done jobs whose output cannot be read although they ran again for that: otherwise they would run for ever.
 * Returns them as they are now, by map key.
 */
export async function condemnUnreadable(
  tx: Queryable,
  asking: readonly Wanted[],
  existing: ReadonlyMap<string, ExistingJob>,
): Promise<Map<string, ExistingJob>> {
  const condemned = asking.flatMap(({ step }): ExistingJob[] => {
    const job = existing.get(toMapKey(step));
    const isLast = job !== undefined && job.unreadableRuns >= UNREADABLE_RUNS_MAX;
    return isLast && isUnread(job, step) ? [job] : [];
  });
  if (condemned.length === 0) return new Map();
  await tx.query({
    name: "condemn_unreadable",
    text: `update stage_job j set ${toSet(unread("$2"))}
      from unnest($1::bigint[]) as condemned (id) where j.id = any (array[condemned.id])`,
    values: [condemned.map(({ id }) => id), MESSAGE],
  });
  return new Map(
    condemned.map((job) => [
      toMapKey(job),
      { ...job, state: "failed", output: null, errorCode: "internal", errorMessage: MESSAGE },
    ]),
  );
}

/**
 * Removes the links to jobs whose output could not be read, of the steps that another job does now: a later version of a
 * stage may have another key for the same input.
 */
export async function dropUnreadable(
  tx: Queryable,
  wanted: readonly Wanted[],
  findJobId: (mapKey: string) => number | undefined,
): Promise<void> {
  const again = wanted.filter(({ step }) => step.again === true);
  if (again.length === 0) return;
  await tx.query({
    name: "drop_unreadable_links",
    text: `delete from request_stage_job l
      using unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as redone (request_id, stage, step, job_id)
      join stage_job kept on kept.id = any (array[redone.job_id])
      where l.request_id = any (array[redone.request_id]) and l.stage_job_id <> kept.id
        and (select coalesce(l.step, j.stage) = redone.step from stage_job j
          where j.id = l.stage_job_id and j.stage = redone.stage limit 1)`,
    values: [
      again.map(({ request }) => request.id),
      again.map(({ step }) => step.stage),
      again.map(({ step }) => step.step),
      again.map(({ step }) => findJobId(toMapKey(step)) ?? null),
    ],
  });
}
