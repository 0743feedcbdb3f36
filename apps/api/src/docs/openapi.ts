import swagger from "@fastify/swagger";
import { PostResult } from "@clipmill/domain";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Api } from "../deps.ts";
import { Job } from "../v1/jobs/job.ts";
import { Problem } from "../http/problem.ts";

/** Of the HTTP interface: changes with it, not with clipmill's releases. */
const API_VERSION = "1.0.0";

/** Schemas that get a name in the document; all others stand where they are used. */
z.globalRegistry.add(Job, { id: "Job" });
z.globalRegistry.add(PostResult, { id: "PostResult" });
z.globalRegistry.add(Problem, { id: "Problem" });

/** Collects the routes that are registered after it into the OpenAPI 3.1 document. */
export async function registerOpenApi(api: Api): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "clipmill",
        version: API_VERSION,
        description: "TikTok posts in; transcript, on-screen text and summary out.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/" }],
      tags: [
        { name: "jobs" },
        { name: "posts" },
        { name: "backfills" },
        { name: "dead letter" },
        { name: "health" },
      ],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutInputTwins(jsonSchemaTransformObject(document)),
  });
}

/** Each named schema comes out a second time as what a client would send; no client sends these. */
function withoutInputTwins(
  document: ReturnType<typeof jsonSchemaTransformObject>,
): typeof document {
  if (!("components" in document)) return document;
  for (const name of Object.keys(document.components?.schemas ?? {})) {
    if (name.endsWith("Input")) delete document.components?.schemas?.[name];
  }
  return document;
}

/** Answers with problem documents, for a route's `response`. */
export function problemResponses<const Status extends number>(
  responses: Record<Status, string>,
): Record<
  Status,
  { description: string; content: { "application/problem+json": { schema: typeof Problem } } }
> {
  const content = { "application/problem+json": { schema: Problem } };
  const entries = Object.entries<string>(responses);
  return Object.fromEntries(
    entries.map(([status, description]) => [status, { description, content }]),
  ) as ReturnType<typeof problemResponses<Status>>;
}
