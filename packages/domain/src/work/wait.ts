import type { ErrorCode } from "../errors/error-codes.ts";

/** Ends the job that waits for this token: done as if its stage had run, or failed for good. */
export type Resolution = { token: string } & (
  | { kind: "done"; output: unknown }
  | { kind: "failed"; code: ErrorCode; message: string }
);
