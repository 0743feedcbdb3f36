import { z } from "zod";
import type { Api, ApiDeps } from "../deps.ts";
import { checkHealth } from "./health.ts";

const Readiness = z.object({
  status: z.enum(["ok", "unavailable"]),
  version: z.string().optional(),
  checks: z.object({ database: z.boolean(), queue: z.boolean() }).optional(),
  problems: z.array(z.string()).optional().describe("what is wrong, and what mends it"),
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
      const found = { version: deps.version, checks, problems: [...problems] };
      const details = request.query.verbose === undefined ? {} : found;
      if (checks.database) return reply.code(200).send({ status: "ok", ...details });
      return reply.code(503).send({ status: "unavailable", ...details });
    },
  );
}
