import { z } from "zod";
import { LANES } from "./request.ts";

/**
 * A dead stage job in public JSON, the same from the API and the CLI. Public JSON calls it a work item because there a
 * *job* is what a caller asked for, in code a request.
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
