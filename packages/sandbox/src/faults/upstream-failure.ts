import { type Answer, toJsonAnswer, toTextAnswer } from "../claude/answer.ts";
import type { RouteName } from "./fault.ts";

/** What an upstream may fail with, in its own words. */
type Failure = "throttled" | "broken" | "overloaded" | "bad-key" | "no-balance";

/** The failure as the upstream behind `route` words it. `status` is used for `broken` alone. */
export function toFailure(route: RouteName, failure: Failure, status = 503): Answer {
  if (route === "messages") return toAnthropicFailure(failure, status);
  if (route === "transcriptions") return toOpenaiFailure(failure, status);
  if (route === "cdn" || route === "short-link") return toPlainFailure(failure, status);
  return toTikliveFailure(failure, status);
}

/** Errors about the account come with status 200 and a bare message. */
function toTikliveFailure(failure: Failure, status: number): Answer {
  const [code, message] = {
    throttled: [429, "Too Many Attempts."] as const,
    "bad-key": [200, "Invalid API key. Sign up to get one."] as const,
    "no-balance": [200, "Your balance is empty. Buy more credits to go on."] as const,
    broken: [status, "Server Error"] as const,
    overloaded: [status, "Server Error"] as const,
  }[failure];
  return toJsonAnswer({ message }, { status: code });
}

const ANTHROPIC_FAILURES = {
  throttled: [429, "rate_limit_error", "This request would exceed your organization's rate limit."],
  "bad-key": [401, "authentication_error", "invalid x-api-key"],
  "no-balance": [402, "billing_error", "Your credit balance is too low."],
  overloaded: [529, "overloaded_error", "Overloaded"],
} as const;

function toAnthropicFailure(failure: Failure, status: number): Answer {
  if (failure === "broken") return toAnthropicError(status, "api_error", "Internal server error");
  const [code, type, message] = ANTHROPIC_FAILURES[failure];
  return toAnthropicError(code, type, message);
}

let requestCount = 0;

/** The Messages API's envelope; the id stands in the header too. */
export function toAnthropicError(status: number, type: string, message: string): Answer {
  const requestId = newAnthropicRequestId();
  return toJsonAnswer(
    { type: "error", error: { type, message }, request_id: requestId },
    { status, headers: { "request-id": requestId } },
  );
}

export function newAnthropicRequestId(): string {
  return `req_sandbox_${String(++requestCount).padStart(8, "0")}`;
}

const OPENAI_FAILURES = {
  throttled: [429, "requests", "rate_limit_exceeded", "Rate limit reached."],
  "bad-key": [401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."],
  "no-balance": [429, "insufficient_quota", "insufficient_quota", "You exceeded your quota."],
  overloaded: [503, "server_error", null, "The engine is overloaded."],
} as const;

function toOpenaiFailure(failure: Failure, status: number): Answer {
  const [code, type, reason, message] =
    failure === "broken"
      ? [status, "server_error", null, "The server had an error."]
      : OPENAI_FAILURES[failure];
  return toJsonAnswer({ error: { message, type, param: null, code: reason } }, { status: code });
}

function toPlainFailure(failure: Failure, status: number): Answer {
  return failure === "throttled"
    ? toTextAnswer(429, "Too Many Requests")
    : toTextAnswer(status, "Service Unavailable");
}
