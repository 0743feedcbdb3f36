import { z } from "zod";
import type { Api, ApiDeps } from "../../deps.ts";
import { getRequest } from "./get-request.ts";
import { Job, toJob } from "./job.ts";
import { problemResponses } from "../../docs/openapi.ts";

/** `POST /v1/jobs/:id/cancel` */
export function cancelJob(api: Api, { requests, work }: ApiDeps): void {
  api.post(
    "/v1/jobs/:id/cancel",
    {
      schema: {
        operationId: "cancelJob",
        summary: "Stop a job",
        description: "Work that other jobs need goes on. A job that has ended stays as it is.",
        tags: ["jobs"],
        params: z.object({ id: z.string().describe("job_…") }),
        response: {
          200: Job.describe("The job as it is now"),
          ...problemResponses({
            403: "A page of another site asks",
            404: "No such job",
            503: "The database is down, full or too slow",
          }),
        },
      },
    },
    async (request) => {
      const { id } = await getRequest(requests, request.params.id);
      await work.cancel([id]);
      return toJob(await getRequest(requests, id));
    },
  );
}
