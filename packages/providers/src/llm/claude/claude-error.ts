import { APIConnectionError, APIError } from "@anthropic-ai/sdk";
import { type ClipmillError, type EngineId, RetryableError } from "@clipmill/domain";
import { mayHaveArrived, parseRetryAfter, toStatusError } from "../../http/upstream-error.ts";

/** `error.type` where it says more than the status: some overloads come with 200 or 500, and not with 529. */
const STATUS_OF_TYPE: Readonly<Record<string, number>> = {
  authentication_error: 401,
  permission_error: 403,
  billing_error: 402,
  rate_limit_error: 429,
  overloaded_error: 529,
  timeout_error: 504,
};

/**
 * What the SDK threw, as our error. Its own message is left out: it holds the response body, which may quote the
 * prompt. `lostUsd` is booked where the answer may exist and be billed without having reached us.
 */
export function toClaudeError(
  error: unknown,
  engine: EngineId,
  costs: { spentUsd: number; lostUsd: number },
): ClipmillError {
  if (error instanceof APIConnectionError || isTimeout(error)) {
    return new RetryableError("upstream_unavailable", `${engine} did not answer`, {
      cause: error,
      upstream: engine,
      costUsd: costs.spentUsd + (mayHaveArrived(error) ? costs.lostUsd : 0),
    });
  }
  const isHttp = error instanceof APIError;
  const status = isHttp ? (STATUS_OF_TYPE[error.type ?? ""] ?? error.status) : undefined;
  if (!isHttp || status === undefined) {
    return new RetryableError("bad_response", `${engine} answered something unreadable`, {
      cause: error,
      upstream: engine,
      costUsd: costs.spentUsd + costs.lostUsd,
    });
  }
  const retryAfterMs = parseRetryAfter(error.headers?.get("retry-after"));
  return toStatusError(status, engine, {
    costUsd: costs.spentUsd,
    details: { type: error.type, requestId: error.requestID ?? null },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Of the whole call: the SDK knows its own limit only. */
function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}
