import {
  type ChildSubmission,
  type Lane,
  LANES,
  type OutcomeEffects,
  type JobRef,
  type Submission,
} from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { acceptPrepared, prepareSubmissions } from "../accept/accept.ts";
import { NO_DIRECT_ENQUEUE } from "../plan/insert-jobs.ts";
import type { Planning } from "../plan/planning.ts";
import { toJobLane } from "../lane.ts";

/** A job that was settled, with what the requests that it submits inherit. */
export interface SettledJob extends JobRef {
  tenant: string;
  lane: number;
  startBy: string | null;
}

/**
 * Accepts the requests that jobs submit, in the settling transaction: either everything is stored or nothing. Their
 * idempotency keys are made of the job's id and their key or place, so that a job that runs again, for example because
 * its file was lost, submits nothing twice.
 */
export async function submitChildren(
  tx: Queryable,
  planning: Planning,
  jobs: ReadonlyMap<number, SettledJob>,
  outcomes: readonly (JobRef & Pick<OutcomeEffects, "submit">)[],
): Promise<void> {
  const submissions = outcomes.flatMap(({ id, submit = [] }) => {
    const job = jobs.get(id);
    return job === undefined ? [] : submit.map((child, place) => toSubmission(job, child, place));
  });
  if (submissions.length === 0) return;
  const prepared = prepareSubmissions(planning.plan, submissions, { isOwnKey: true });
  // Left to a dispatcher, because this worker may not drain the queues of their first steps.
  await acceptPrepared(tx, { ...planning, directEnqueue: NO_DIRECT_ENQUEUE }, prepared);
}

function toSubmission(
  job: SettledJob,
  { key, endsWithParent = false, ...child }: ChildSubmission,
  place: number,
): Submission {
  return {
    ...child,
    tenant: child.tenant ?? job.tenant,
    lane: child.lane ?? toLane(job.lane),
    deadline: child.deadline === undefined ? job.startBy : child.deadline,
    // The arrow keeps it apart from callers' keys, which are ASCII. `key ` keeps a key such as "0" apart from a place.
    idempotencyKey: `job ${job.id}→${key === undefined ? place : `key ${key}`}`,
    parent: { jobId: job.id, endsWithParent },
  };
}

/** A job in quarantine has lost its requests' lane, so its submissions get `standard`. */
function toLane(rank: number): Lane {
  const lane = toJobLane(rank);
  return LANES.find((name) => name === lane) ?? "standard";
}
