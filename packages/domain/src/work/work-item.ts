import { z } from "zod";
import { LANES } from "./request.ts";

/**
 * One step of the work on a post as public JSON calls it: the same from the API and the CLI. In code it is a stage job;
 * a *job* in public JSON is what a caller asked for.
 */
export const WorkItem = z.object({
  id: z.number().int(),
  stage: z.string(),
  queue: z.string(),
  key: z.string().describe("what makes this piece of work what it is: an id or a hash"),
  tenant: z.string(),
  lane: z
    .enum([...LANES, "quarantine"])
    .describe("who goes first; quarantine: it ran when its worker died, so it runs alone"),
  code: z.string(),
  detail: z.string(),
  upstream: z.string().nullable(),
  attempts: z.number().int(),
  crashes: z.number().int(),
  created_at: z.string(),
  failed_at: z.string(),
});
export type WorkItem = z.infer<typeof WorkItem>;

export const WorkItemDetail = WorkItem.extend({
  input: z.unknown(),
  dropped_at: z.string().nullable(),
  jobs: z.array(z.string()).describe("the jobs that failed because of it, the first hundred"),
  job_count: z.number().int(),
});
export type WorkItemDetail = z.infer<typeof WorkItemDetail>;
