import { randomUUID } from "node:crypto";
import type { RawRequestDefaultExpression } from "fastify";

export const REQUEST_ID_HEADER = "request-id";

/** The client's own id if it is well-formed, so that its logs and ours meet; else a new one. */
export function toRequestId({ headers }: Pick<RawRequestDefaultExpression, "headers">): string {
  const given = headers[REQUEST_ID_HEADER];
  return typeof given === "string" && /^[\w-]{8,64}$/.test(given) ? given : `req_${randomUUID()}`;
}
