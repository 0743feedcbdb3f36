import type { DeadFilter, DeadSelection as Selection } from "@clipmill/db";
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

export function toSelection(body: z.infer<typeof DeadSelection>): Selection {
  return "ids" in body ? body : { filter: toDeadFilter(body.filter), limit: body.limit };
}
