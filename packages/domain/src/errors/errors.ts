import { type CodeOf, ERROR_CODES, type ErrorCode, type ErrorCodeEntry } from "./error-codes.ts";
import { toNamedWaitMs } from "./named-wait.ts";

export interface ErrorOptions {
  cause?: unknown;
  /** How long the upstream asked us to wait, in ms; more than an hour counts as an hour. Replaces the backoff. */
  retryAfterMs?: number | undefined;
  /** Whose machine said so: a provider's id. Absent when the fault is ours or the caller's. */
  upstream?: string;
  /** What the failed work was billed all the same, in dollars. Default: nothing. */
  costUsd?: number;
  /** Small facts for the log and the dead letter. Never text of a post, a key or a signed URL. */
  details?: Record<string, string | number | boolean | null>;
}

/**
 * An error whose code is in the registry. `message` is for the person who must act on it: lower case,
 * what and which, no secret, no transcript, no signed URL.
 */
export abstract class ClipmillError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly upstream: string | undefined;
  readonly costUsd: number | undefined;
  readonly details: Record<string, string | number | boolean | null>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = toNamedWaitMs(options.retryAfterMs);
    this.upstream = options.upstream;
    this.costUsd = options.costUsd;
    this.details = options.details ?? {};
  }

  get entry(): ErrorCodeEntry {
    return ERROR_CODES[this.code];
  }
}

/** Try again later: after `retryAfterMs` if the upstream named a wait, else after full-jitter backoff. */
export class RetryableError extends ClipmillError {
  override readonly name = "RetryableError";
  constructor(code: CodeOf<"retryable">, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** Dead at once: another try would end the same way. */
export class UnrecoverableError extends ClipmillError {
  override readonly name = "UnrecoverableError";
  constructor(code: CodeOf<"unrecoverable">, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** Not a failure: the job completes without a result, and the request goes on without that part or ends `skipped`. */
export class SkipError extends ClipmillError {
  override readonly name = "SkipError";
  constructor(code: CodeOf<"skip">, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** Any thrown value as a ClipmillError; everything unknown is retryable. */
export function toClipmillError(thrown: unknown): ClipmillError {
  if (thrown instanceof ClipmillError) return thrown;
  // The message of an unknown error may hold anything, so it stays in `cause` and out of stored rows.
  return new RetryableError("internal", "an unexpected error stopped the job", { cause: thrown });
}
