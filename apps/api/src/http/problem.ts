import { ClipmillError, ERROR_CODES, type ErrorCode } from "@clipmill/domain";
import type { FastifyError } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { z } from "zod";

/** RFC 9457, with what a client needs to act: our code, and whether the same request can succeed later. */
export const Problem = z.object({
  type: z.string().describe("where the code is explained"),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  instance: z.string().describe("the path that was asked for"),
  code: z.string(),
  request_id: z.string(),
  retryable: z.boolean(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** Fastify's words for the parts of a request, in HTTP's. */
const PARTS: Record<string, string> = {
  body: "body",
  params: "path",
  querystring: "query",
  headers: "header",
};

/** What is wrong, apart from where and when. */
export interface Fault {
  code: ErrorCode;
  /** Differs from the code's own where HTTP has a finer word for a malformed request, such as 413 or 415. */
  status: number;
  detail: string;
  retryAfterMs?: number | undefined;
  errors?: Problem["errors"];
}

/** A request that HTTP itself has a word for, such as 408 or 415, thrown from where that is known. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.detail);
    this.fault = fault;
  }
}

/**
 * The fault that a thrown value stands for, or null for what nobody foresaw: its message may hold anything, SQL included,
 * and goes to the log alone.
 */
export function toFault(thrown: unknown): Fault | null {
  if (thrown instanceof ClipmillError) {
    const { code, entry, message: detail, retryAfterMs } = thrown;
    return { code, status: entry.status, detail, retryAfterMs };
  }
  if (thrown instanceof FaultError) return thrown.fault;
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const where = PARTS[thrown.validationContext ?? ""] ?? "request";
    const errors = thrown.validation.map(({ instancePath, message }) => ({
      pointer: where === "body" ? `#${instancePath.replace(/\/$/, "")}` : `${where}${instancePath}`,
      detail: (message ?? "invalid").slice(0, 200),
    }));
    return {
      code: "invalid_request",
      status: 400,
      detail: `the ${where} does not fit the schema`,
      errors,
    };
  }
  if (isFastifyError(thrown) && (thrown.statusCode ?? 500) < 500) {
    const status = thrown.statusCode ?? 400;
    const detail = status === 415 ? `${thrown.message}; send application/json` : thrown.message;
    return { code: "invalid_request", status, detail };
  }
  return null;
}

export function toProblem(
  fault: Fault,
  { path, requestId }: { path: string; requestId: string },
): Problem {
  const { disposition, title } = ERROR_CODES[fault.code];
  return {
    type: `/errors#${fault.code}`,
    title,
    status: fault.status,
    detail: fault.detail,
    instance: path,
    code: fault.code,
    request_id: requestId,
    retryable: disposition === "retryable",
    ...(fault.errors === undefined ? {} : { errors: fault.errors }),
  };
}

function isFastifyError(thrown: unknown): thrown is FastifyError {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" && code.startsWith("FST_");
}
