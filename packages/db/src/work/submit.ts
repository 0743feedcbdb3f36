import {
  type ChildSubmission,
  type Lane,
  LANES,
  type OutcomeEffects,
  type JobRef,
  type Submission,
} from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { acceptPrepared, prepareSubmissions } from "./accept/accept.ts";
import { NO_DIRECT_ENQUEUE } from "./plan/insert-jobs.ts";
import type { Planning } from "./plan/planning.ts";
import { toJobLane } from "./lane.ts";

/** A job that was settled, with what its submissions inherit. */
export interface SettledJob extends JobRef {
  tenant: string;
  lane: number;
  startBy: string | null;
}

/**
 * Accepts what jobs submit, in the transaction that settles them: a settlement that happens accepts all of it, one that
 * does not accepts none. Their idempotency keys are made of the job and the place, so that a job which runs again, because
 * its file was lost, say, submits nothing twice.
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
  // A dispatcher finds their first steps: this worker may not drain their queues.
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
    // No caller can choose such a key: theirs are ASCII. A place is never taken for a key that looks like one.
    idempotencyKey: `job ${job.id}→${key === undefined ? place : `key ${key}`}`,
    parent: { jobId: job.id, endsWithParent },
  };
}

/** A job in quarantine says nothing of how urgent its requests are. */
function toLane(rank: number): Lane {
  const lane = toJobLane(rank);
  return LANES.find((name) => name === lane) ?? "standard";
}
