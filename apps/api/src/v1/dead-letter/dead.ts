import { toWorkItem, toWorkItemDetail } from "@clipmill/db";
import { UnrecoverableError, WorkItem, WorkItemDetail } from "@clipmill/domain";
import { z } from "zod";
import type { Api, ApiDeps } from "../../deps.ts";
import { problemResponses } from "../../docs/openapi.ts";
import { deadFilterFields, DeadSelection, toDeadFilter, toSelection } from "./dead-selection.ts";

const tags = ["dead letter"];
const refusals = problemResponses({
  400: "Malformed",
  503: "The database is down, full or too slow",
});
const writeRefusals = { ...refusals, ...problemResponses({ 403: "A page of another site asks" }) };
const taken = { work_items: z.number().int().describe("dead work items that were taken") };

/** `/v1/dead`: what failed for good, to look at, to try again, or to let go. A work item is a stage job; a job, a request. */
export function dead(api: Api, deps: ApiDeps): void {
  for (const route of [listDead, getDead, retryDead, dropDead]) route(api, deps);
}

function listDead(api: Api, deps: ApiDeps): void {
  api.get(
    "/v1/dead",
    {
      schema: {
        operationId: "listDead",
        summary: "Work items that failed for good, newest first",
        tags,
        querystring: z.strictObject({
          ...deadFilterFields,
          limit: z.coerce.number().int().min(1).max(200).default(50),
          cursor: z.string().max(200).optional().describe("`next` of the page before"),
        }),
        response: {
          200: z.object({ work_items: z.array(WorkItem), next: z.string().nullable() }),
          ...refusals,
        },
      },
    },
    async ({ query: { limit, cursor, ...filter } }) => {
      const { jobs, next } = await deps.dead.list(toDeadFilter(filter), { limit, cursor });
      return { work_items: jobs.map(toWorkItem), next };
    },
  );
}

function getDead(api: Api, deps: ApiDeps): void {
  api.get(
    "/v1/dead/:id",
    {
      schema: {
        operationId: "getDead",
        summary: "One of them, with its input and the jobs that failed because of it",
        tags,
        params: z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
        response: {
          200: WorkItemDetail,
          ...refusals,
          ...problemResponses({ 404: "Nothing dead has this id" }),
        },
      },
    },
    async ({ params }) => {
      const detail = await deps.dead.find(params.id);
      if (detail !== null) return toWorkItemDetail(detail);
      throw new UnrecoverableError("not_found", "nothing dead has this id");
    },
  );
}

function retryDead(api: Api, deps: ApiDeps): void {
  api.post(
    "/v1/dead/retry",
    {
      schema: {
        operationId: "retryDead",
        summary:
          "Try again from the stage that failed; jobs that ended because of it are open again",
        tags,
        body: DeadSelection,
        response: {
          200: z.object({
            ...taken,
            jobs: z.number().int().describe("jobs that are open again"),
          }),
          ...writeRefusals,
        },
      },
    },
    async ({ body }) => {
      const { jobCount, requestCount } = await deps.dead.retry(toSelection(body));
      return { work_items: jobCount, jobs: requestCount };
    },
  );
}

function dropDead(api: Api, deps: ApiDeps): void {
  api.post(
    "/v1/dead/drop",
    {
      schema: {
        operationId: "dropDead",
        summary: "Acknowledge failures: they stay failed and leave the list",
        tags,
        body: DeadSelection,
        response: { 200: z.object(taken), ...writeRefusals },
      },
    },
    async ({ body }) => ({ work_items: (await deps.dead.drop(toSelection(body))).jobCount }),
  );
}
