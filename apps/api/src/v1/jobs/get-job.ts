import { z } from "zod";
import type { Api, ApiDeps } from "../../deps.ts";
import { getRequest } from "./get-request.ts";
import { Job, toJob } from "./job.ts";
import { problemResponses } from "../../docs/openapi.ts";

/** `GET /v1/jobs/:id` */
export function getJob(api: Api, { requests }: ApiDeps): void {
  api.get(
    "/v1/jobs/:id",
    {
      schema: {
        operationId: "getJob",
        summary: "A job and, when it is done, its result",
        tags: ["jobs"],
        params: z.object({ id: z.string().describe("job_…") }),
        response: {
          200: Job.describe(
            "A job that failed or was skipped is 200 too: see `status` and `error`.",
          ),
          ...problemResponses({
            404: "No such job",
            503: "The database is down, full or too slow",
          }),
        },
      },
    },
    async (request) => toJob(await getRequest(requests, request.params.id)),
  );
}
