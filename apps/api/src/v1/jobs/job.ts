import {
  Cost,
  ERROR_CODES,
  PostResult,
  PublicWaitingFor,
  REQUEST_STATES,
  type RequestFailure,
  type RequestView,
  toAwemeId,
  toPublicWaitingFor,
} from "@clipmill/domain";
import { z } from "zod";

const JobError = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  stage: z.string().nullable(),
  retryable: z.boolean(),
});

/** A request as HTTP shows it. Failing is an outcome of the job, not of the call that asks for it: its status is 200. */
export const Job = z.object({
  id: z.string(),
  status: z.enum(REQUEST_STATES),
  url: z.string().describe("the link as it was understood"),
  aweme_id: z.string().nullable().describe("null until it is known"),
  stages: z
    .array(z.object({ name: z.string(), state: z.string(), attempts: z.number().int() }))
    .describe("the stages that are open now"),
  waiting_for: PublicWaitingFor.nullable().describe(
    "why the job does not go on now; null if it does, waits for its turn, or has ended",
  ),
  result: PostResult.nullable().describe("present when status is done"),
  error: JobError.nullable().describe("present when status is failed or skipped"),
  cost: Cost.nullable().describe("null until the job has ended"),
  created_at: z.string(),
  finished_at: z.string().nullable(),
  links: z.object({ self: z.string(), page: z.string() }),
});
export type Job = z.infer<typeof Job>;

export function toJobPath(id: string): string {
  return `/v1/jobs/${id}`;
}

export function toJob(view: RequestView): Job {
  return {
    id: view.id,
    status: view.state,
    url: view.link,
    aweme_id: view.postId === null ? null : toAwemeId(view.postId),
    stages: view.stages,
    waiting_for: view.waitingFor === null ? null : toPublicWaitingFor(view.waitingFor),
    result: view.result,
    error: view.failure === null ? null : toJobError(view.failure),
    cost: view.cost,
    created_at: view.createdAt,
    finished_at: view.finishedAt,
    links: { self: toJobPath(view.id), page: `/jobs/${view.id}` },
  };
}

function toJobError({ code, message, stage, retryable }: RequestFailure): z.infer<typeof JobError> {
  return { code, title: ERROR_CODES[code].title, detail: message, stage, retryable };
}
