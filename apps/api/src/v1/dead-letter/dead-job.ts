import type { DeadFilter, DeadJob as Dead, DeadJobDetail as DeadDetail } from "@clipmill/db";
import { ERROR_CODES, type ErrorCode } from "@clipmill/domain";
import { z } from "zod";
import { Moment } from "./moment.ts";

const CODES = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];
const name = z
  .string()
  .max(100)
  .regex(/^[\x20-\x7e]+$/, "printable ASCII");

/** All that are given must hold. */
export const deadFilterFields = {
  code: z.enum(CODES).optional(),
  stage: name.optional(),
  tenant: name.optional(),
  failed_before: Moment.optional(),
  failed_after: Moment.optional().describe("this moment or later"),
};
const DeadFilterFields = z.strictObject(deadFilterFields);

export const DeadJob = z.object({
  id: z.number().int(),
  stage: z.string(),
  queue: z.string(),
  key: z.string().describe("what makes this piece of work what it is: an id or a hash"),
  tenant: z.string(),
  lane: z.string(),
  code: z.string(),
  detail: z.string(),
  upstream: z.string().nullable(),
  attempts: z.number().int(),
  crashes: z.number().int(),
  created_at: z.string(),
  failed_at: z.string(),
});

export const DeadJobDetail = DeadJob.extend({
  input: z.unknown(),
  dropped_at: z.string().nullable(),
  jobs: z.array(z.string()).describe("the jobs that failed because of it, the first hundred"),
  job_count: z.number().int(),
});

export const DeadSelection = z
  .union([
    z.strictObject({ ids: z.array(z.int().min(1)).min(1).max(1_000) }),
    z.strictObject({
      filter: DeadFilterFields.describe("{} stands for all"),
      limit: z.int().min(1).max(10_000).default(1_000).describe("the longest dead first"),
    }),
  ])
  .describe("by id, or by filter");

export function toDeadFilter(fields: z.infer<typeof DeadFilterFields>): DeadFilter {
  const { code, stage, tenant, failed_before: failedBefore, failed_after: failedAfter } = fields;
  return { code, stage, tenant, failedBefore, failedAfter };
}

export function toDeadJob(job: Dead): z.infer<typeof DeadJob> {
  const { message, createdAt, failedAt, ...same } = job;
  return { ...same, detail: message, created_at: createdAt, failed_at: failedAt };
}

export function toDeadJobDetail(detail: DeadDetail): z.infer<typeof DeadJobDetail> {
  const { input, droppedAt, requestIds, requestCount, ...job } = detail;
  return {
    ...toDeadJob(job),
    input,
    dropped_at: droppedAt,
    jobs: requestIds,
    job_count: requestCount,
  };
}
