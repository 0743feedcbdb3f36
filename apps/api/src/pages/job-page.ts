import { renderJobPage } from "@clipmill/dashboard";
import { z } from "zod";
import type { Api, ApiDeps } from "../deps.ts";
import { getRequest } from "../v1/jobs/get-request.ts";

/** `GET /jobs/:id` for people. */
export function jobPage(api: Api, { requests }: ApiDeps): void {
  const schema = { hide: true, params: z.object({ id: z.string() }) };
  api.get("/jobs/:id", { schema }, async (request, reply) => {
    const view = await getRequest(requests, request.params.id);
    return reply.type("text/html; charset=utf-8").send(renderJobPage(view));
  });
}
