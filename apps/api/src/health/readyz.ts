import { z } from "zod";
import type { Api, ApiDeps, Health } from "../deps.ts";
import { checkHealth } from "./health.ts";

const Waiting = z.object({
  queue: z.string(),
  reason: z.string().describe("a code, as in a job's `waiting_for.reason`"),
  detail: z.string(),
  what_to_do: z.string(),
  jobs: z.number().int().describe("stages that wait for it, counted up to 1,000"),
  since: z.string().nullable().describe("null if nobody knows"),
});

const Readiness = z.object({
  status: z.enum(["ok", "unavailable"]),
  version: z.string().optional(),
  checks: z.object({ database: z.boolean(), queue: z.boolean() }).optional(),
  problems: z.array(z.string()).optional().describe("what is wrong, and what mends it"),
  waiting: z.array(Waiting).optional().describe("what keeps work from going on"),
});

/** `GET /readyz`: requests can be accepted. A queue that is down delays work but loses none, so it stays 200. */
export function readyz(api: Api, deps: ApiDeps): void {
  api.get(
    "/readyz",
    {
      logLevel: "silent",
      schema: {
        operationId: "readyz",
        summary: "Requests can be accepted",
        tags: ["health"],
        querystring: z.object({ verbose: z.string().optional().describe("also tell each check") }),
        response: {
          200: Readiness.describe("The database is up, and of this version."),
          503: Readiness.describe("The database is down, or `clipmill migrate` is needed."),
        },
      },
    },
    async (request, reply) => {
      const { problems = [], ...checks } = await checkHealth(deps);
      const details =
        request.query.verbose === undefined
          ? {}
          : { ...(await toDetails(deps, checks)), problems: [...problems] };
      if (checks.database) return reply.code(200).send({ status: "ok", ...details });
      return reply.code(503).send({ status: "unavailable", ...details });
    },
  );
}

async function toDetails(
  { version, waiting }: ApiDeps,
  checks: Health,
): Promise<Omit<z.infer<typeof Readiness>, "status">> {
  if (!checks.database) return { version, checks };
  const groups = await waiting.findGroups();
  return {
    version,
    checks,
    waiting: groups.map(({ queue, reason, message, advice, count, since }) => ({
      queue,
      reason,
      detail: message,
      what_to_do: advice,
      jobs: count,
      since,
    })),
  };
}
