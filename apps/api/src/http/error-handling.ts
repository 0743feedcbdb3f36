import { renderProblemPage } from "@clipmill/dashboard";
import { type Outage, toOutage } from "@clipmill/db";
import { ClipmillError } from "@clipmill/domain";
import { createErrorLog } from "@clipmill/queue";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Api, ApiDeps } from "../deps.ts";
import { checkHealth } from "../health/health.ts";
import { type Fault, toFault, toProblem } from "./problem.ts";

/** For 429 and 503 when nobody named a time. */
const RETRY_AFTER_MS = 5_000;

const OUTAGES: Record<Outage, string> = {
  full: "the database is full; nothing was accepted",
  unanswered:
    "the database did not answer in time; send the same again, under its idempotency key if it has one",
};

const CALLER_GONE: Fault = {
  code: "unavailable",
  status: 503,
  detail: "the caller hung up before there was an answer",
};

/** Every error leaves as a problem document: those of routes, of unknown paths, and of requests that Fastify refuses. */
export function registerErrorHandling(api: Api, deps: ApiDeps): void {
  // Those that are refused because there are too many: a line each would cost more than their refusal.
  const reportRefused = createErrorLog(deps.log, "requests refused");
  api.setErrorHandler(async (error, request, reply) => {
    // Nobody reads the answer: finding out whether the database is up would cost what an answer costs.
    if (isGone(reply)) return sendFault(request, reply, CALLER_GONE);
    const fault = toFault(error) ?? (await toUnforeseen(error, deps));
    if (isRefusal(error)) reportRefused(error);
    else if (fault.status >= 500)
      request.log.error({ err: error, code: fault.code }, "request failed");
    return sendFault(request, reply, fault);
  });
  api.setNotFoundHandler((request, reply) =>
    sendFault(request, reply, {
      code: "not_found",
      status: 404,
      detail: "nothing is at this path",
    }),
  );
}

/** Whether this API refused it before it reached the database. */
function isRefusal(error: unknown): boolean {
  return error instanceof ClipmillError && error.code === "unavailable";
}

/** Whether the caller hung up. */
function isGone({ raw }: FastifyReply): boolean {
  return raw.closed && !raw.writableFinished;
}

/** What the database itself says comes first; else, if it is down, that is why. */
async function toUnforeseen(error: unknown, deps: ApiDeps): Promise<Fault> {
  const outage = toOutage(error);
  if (outage !== null) return { code: "unavailable", status: 503, detail: OUTAGES[outage] };
  const { database } = await checkHealth(deps);
  return database
    ? { code: "internal", status: 500, detail: "the request id finds the cause in the log" }
    : { code: "unavailable", status: 503, detail: "the database is down; nothing was accepted" };
}

export function sendFault(request: FastifyRequest, reply: FastifyReply, fault: Fault) {
  const path = toPath(request.url);
  const problem = toProblem(fault, { path, requestId: request.id });
  reply.code(fault.status).header("cache-control", "no-store");
  if (fault.status === 429 || fault.status === 503) {
    reply.header("retry-after", Math.ceil((fault.retryAfterMs ?? RETRY_AFTER_MS) / 1000));
  }
  if (!path.startsWith("/v1/") && /\btext\/html\b/.test(request.headers.accept ?? "")) {
    const page = renderProblemPage({ ...problem, requestId: request.id });
    return reply.type("text/html; charset=utf-8").send(page);
  }
  return reply.type("application/problem+json").send(JSON.stringify(problem));
}

/** The path alone: a query may hold what nobody may see. */
export function toPath(url: string): string {
  return url.split("?", 1)[0] ?? url;
}
