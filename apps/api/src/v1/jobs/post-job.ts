import {
  isTerminal,
  Lane,
  Output,
  parseLink,
  type Recipes,
  type RequestView,
  type Submission,
  UnrecoverableError,
} from "@clipmill/domain";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { Api, ApiDeps } from "../../deps.ts";
import { createAccepting } from "./accepting.ts";
import { getRequest } from "./get-request.ts";
import { IDEMPOTENCY_KEY_HEADER, parseIdempotencyKey } from "../../http/idempotency-key.ts";
import { Job, toJob, toJobPath } from "./job.ts";
import { Moment } from "../dead-letter/moment.ts";
import { problemResponses } from "../../docs/openapi.ts";
import { parseWait } from "../../http/prefer.ts";

/** Until accounts exist there is one tenant. */
const TENANT = "local";
/** A cached step takes less, a new post about this long. */
const POLL_AFTER_SECONDS = 2;

const JobBody = z.strictObject({
  url: z.string().min(1).max(4_096).describe("a TikTok link, a bare post id, or pasted share text"),
  outputs: z.array(Output).min(1).max(Output.options.length).default(["transcript", "summary"]),
  lane: Lane.default("standard").describe("who goes first: interactive, standard, backfill"),
  language: z
    .string()
    .regex(/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/, "a BCP-47 tag such as en or pt-BR")
    .nullable()
    .default(null)
    .describe("a hint for recognition; null lets the engine decide"),
  fresh: z
    .boolean()
    .default(false)
    .describe("recognise the speech, also where the source offers captions"),
  deadline: Moment.nullable()
    .prefault(null)
    .describe(
      "a job that has not ended by then fails with `deadline_missed`, also while it runs; null for none",
    ),
});

// Loose: what validation returns replaces the headers that hooks see.
const JobHeaders = z.looseObject({
  prefer: z
    .string()
    .optional()
    .describe("`wait=N` answers when the job has ended, within N ≤ 60 s"),
  [IDEMPOTENCY_KEY_HEADER]: z
    .string()
    .optional()
    .describe("the same key with the same body is the same job"),
});

/** `POST /v1/jobs`: stores the request, then answers; with `Prefer: wait=N` it answers when the job has ended. */
export function postJob(api: Api, deps: ApiDeps): void {
  const accepting = createAccepting(deps.work);
  const closing = new AbortController();
  api.addHook("preClose", (done) => {
    closing.abort();
    done();
  });

  api.post(
    "/v1/jobs",
    {
      schema: {
        operationId: "createJob",
        summary: "Process a post",
        tags: ["jobs"],
        headers: JobHeaders,
        body: JobBody,
        response: {
          200: Job.describe("The job has ended: at once, or within the time to wait."),
          202: Job.describe(
            "Accepted and stored. Poll `Location`, at first after `Retry-After` seconds.",
          ),
          ...problemResponses({
            400: "Malformed",
            403: "A page of another site asks",
            422: "No link of a post, a deadline in the past, or an idempotency key that was used with another body",
            503: "The database is down, full or too slow; send the same again",
          }),
        },
      },
    },
    async (request, reply) => {
      const key = parseIdempotencyKey(request.headers[IDEMPOTENCY_KEY_HEADER]);
      const submission = toSubmission(request.body, key, deps.recipes());
      const { deadline } = submission;
      if (deadline !== null && key === null) checkDeadline(deadline, Date.now());
      const gone = toDisconnectSignal(reply);
      const accepted = await accepting.accept(submission, gone);
      reply.logFields = { job_id: accepted.requestId };
      if (accepted.state === "conflict") {
        throw new UnrecoverableError("idempotency_conflict", "use a new key for another body");
      }
      if (deadline !== null && key !== null) {
        // A replay is answered with its job however late it comes, so the moment that counts is when that was stored.
        // What came too late is stored all the same, never starts, and is refused each time.
        const { createdAt } = await getRequest(deps.requests, accepted.requestId);
        checkDeadline(deadline, Date.parse(createdAt));
      }

      if (!accepted.created) reply.header("idempotent-replayed", "true");
      const wait = parseWait(request.headers.prefer);
      if (wait !== null) reply.header("preference-applied", `wait=${wait}`);
      const signal = AbortSignal.any([closing.signal, gone]);
      const timeoutMs = accepted.state === "open" ? (wait ?? 0) * 1000 : 0;
      const view = await readRequest(deps, accepted.requestId, { timeoutMs, signal });

      if (isTerminal(view.state)) return reply.code(200).send(toJob(view));
      reply.headers({ location: toJobPath(view.id), "retry-after": POLL_AFTER_SECONDS });
      return reply.code(202).send(toJob(view));
    },
  );
}

function toSubmission(
  { url, outputs, lane, language, fresh, deadline }: z.infer<typeof JobBody>,
  idempotencyKey: string | null,
  recipes: Recipes,
): Submission {
  const link = parseLink(url);
  return {
    tenant: TENANT,
    link: link.url,
    postId: link.kind === "post" ? link.awemeId : null,
    outputs: [...new Set(outputs)],
    recipes,
    lane,
    deadline,
    idempotencyKey,
    language,
    fresh,
  };
}

function checkDeadline(deadline: string, arrivedAtMs: number): void {
  if (Date.parse(deadline) > arrivedAtMs) return;
  throw new UnrecoverableError("deadline_missed", "the deadline is in the past");
}

/** The request as it stands when it has ended, when the time is over, or when nobody waits any more. */
async function readRequest(
  { requests }: ApiDeps,
  id: string,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<RequestView> {
  if (options.timeoutMs === 0) return getRequest(requests, id);
  try {
    const view = await requests.waitForRequest(id, options);
    return view ?? (await getRequest(requests, id));
  } catch (error) {
    // Shutdown ends the wait, not the job: the caller learns where to ask again.
    if (options.signal.aborted) return getRequest(requests, id);
    throw error;
  }
}

function toDisconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => controller.abort());
  return controller.signal;
}
