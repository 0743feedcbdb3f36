import { APIConnectionError, APIError } from "@anthropic-ai/sdk";
import {
  type ClipmillError,
  type EngineId,
  RetryableError,
  UnrecoverableError,
} from "@clipmill/domain";
import { BodyError } from "../../http/body-text.ts";
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

/** A balance that is used up comes as a 400 of the type of any malformed request: only its words tell. */
const BALANCE = /credit balance|purchase credits|plans & billing|spend(ing)? limit|billing/i;
/** Of parameters that older models and other servers of this API do not know. */
const PARAMETER = /output_config|output_format|thinking|extra inputs are not permitted/i;

/** Whether a parameter is refused that an answer can do without. */
export function refusesParameters(error: unknown): boolean {
  return error instanceof APIError && error.status === 400 && PARAMETER.test(readWords(error));
}

/** The upstream's own words. For decisions only: they may quote the prompt. */
function readWords({ error: body }: APIError): string {
  const inner = typeof body === "object" && body !== null && "error" in body ? body.error : body;
  if (typeof inner !== "object" || inner === null || !("message" in inner)) return "";
  return typeof inner.message === "string" ? inner.message.slice(0, 1_000) : "";
}

/**
 * What the SDK threw, as our error. Its own message is left out: it holds the response body, which may quote the
 * prompt. `lostUsd` is booked where the answer may exist and be billed without having reached us; an answer that did
 * reach us and cannot be read is not bought again.
 */
export function toClaudeError(
  error: unknown,
  engine: EngineId,
  { spentUsd, lostUsd }: { spentUsd: number; lostUsd: number },
): ClipmillError {
  const isUnreadable = error instanceof SyntaxError || findCause(error, BodyError) !== null;
  if (isUnreadable) {
    return new UnrecoverableError("invalid_answer", `${engine} answered what cannot be read`, {
      cause: error,
      upstream: engine,
      costUsd: spentUsd + lostUsd,
    });
  }
  if (error instanceof APIConnectionError) {
    return new RetryableError("upstream_unavailable", `${engine} did not answer`, {
      cause: error,
      upstream: engine,
      costUsd: spentUsd + (mayHaveArrived(error) ? lostUsd : 0),
    });
  }
  const isHttp = error instanceof APIError;
  const status = isHttp ? toMeantStatus(error) : undefined;
  if (!isHttp || status === undefined) {
    return new RetryableError("bad_response", `${engine} answered something unreadable`, {
      cause: error,
      upstream: engine,
      costUsd: spentUsd + lostUsd,
    });
  }
  const options = {
    upstream: engine,
    costUsd: spentUsd,
    details: { type: error.type, requestId: error.requestID ?? null },
  };
  if (status === 404) {
    return new RetryableError(
      "provider_key",
      `${engine} does not know the model or the address: check CLAUDE_MODEL and ANTHROPIC_BASE_URL`,
      options,
    );
  }
  const retryAfterMs = parseRetryAfter(error.headers?.get("retry-after"));
  return toStatusError(status, engine, {
    ...options,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function toMeantStatus(error: APIError): number | undefined {
  const { status } = error;
  if ((status === 400 || status === 403) && BALANCE.test(readWords(error))) return 402;
  return STATUS_OF_TYPE[error.type ?? ""] ?? status;
}

function findCause<T extends Error>(error: unknown, type: new (...args: never[]) => T): T | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof type) return cause;
  }
  return null;
}
