import { z } from "zod";
import type { Api, ApiDeps } from "../deps.ts";
import { checkHealth } from "./health.ts";

const Readiness = z.object({
  status: z.enum(["ok", "unavailable"]),
  version: z.string().optional(),
  checks: z.object({ database: z.boolean(), queue: z.boolean() }).optional(),
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
          200: Readiness.describe("The database is up."),
          503: Readiness.describe("The database is down."),
        },
      },
    },
    async (request, reply) => {
      const checks = await checkHealth(deps);
      const details = request.query.verbose === undefined ? {} : { version: deps.version, checks };
      if (checks.database) return reply.code(200).send({ status: "ok", ...details });
      return reply.code(503).send({ status: "unavailable", ...details });
    },
  );
}
