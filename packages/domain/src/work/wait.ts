import type { ErrorCode } from "../errors/error-codes.ts";

/** How a job that waits for this token ends: as if it had run, or failed for good. */
export type Resolution = { token: string } & (
  | { kind: "done"; output: unknown }
  | { kind: "failed"; code: ErrorCode; message: string }
);
