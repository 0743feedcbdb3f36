import {
  type ClipmillError,
  RetryableError,
  SkipError,
  UnrecoverableError,
} from "@clipmill/domain";
import { findWaitMs } from "../../http/rate-headers.ts";
import { toStatusError } from "../../http/upstream-error.ts";
import type { ApiAnswer } from "../../http/api-client.ts";

/** Its own words are "1 request/second"; a second is what it wants. */
const LIMIT_WAIT_MS = 1_000;
/** Of the daily limit; when it ends is not told. */
const DAILY_WAIT_MS = 10 * 60_000;

/** The error that an answer of tikwm stands for, or null for one that may hold data. */
export function findTikwmError(
  { status, headers, body }: ApiAnswer,
  upstream: string,
): ClipmillError | null {
  const details = { status };
  const retryAfterMs = findWaitMs(headers);
  // There is no key that could be wrong: a refusal is the firewall's, and Cloudflare marks its own pages.
  if (status === 401 || status === 403 || headers["cf-mitigated"] !== undefined) {
    return new RetryableError("blocked", `${upstream} refuses this machine`, { upstream, details });
  }
  if (status !== 200) return toStatusError(status, upstream, { retryAfterMs });
  if (typeof body !== "object" || body === null || !("code" in body)) {
    return new RetryableError("bad_response", `${upstream} sent no answer`, { upstream, details });
  }
  if (body.code === 0 || body.code === "0") return null;
  const message =
    "msg" in body && typeof body.msg === "string" ? body.msg.slice(0, 1_000).toLowerCase() : "";
  return toMeaning(message, upstream);
}

/**
 * Everything but success is status 200 with code -1, so only the words tell. "Url parsing is failed" comes for
 * deleted posts and for much else, so it ends no post.
 */
function toMeaning(message: string, upstream: string): ClipmillError {
  if (/\blimit\b|too many/.test(message)) {
    const retryAfterMs = /second/.test(message) ? LIMIT_WAIT_MS : DAILY_WAIT_MS;
    return new RetryableError("throttled", `${upstream} says slow down`, {
      upstream,
      retryAfterMs,
    });
  }
  if (
    /age.?restrict|mature content|log ?in (is )?(required|to)|requires? (a )?log ?in/.test(message)
  ) {
    return new UnrecoverableError(
      "unsupported",
      `${upstream} says that the post is age-restricted: TikTok shows it to people who are logged in only`,
      { upstream },
    );
  }
  if (/\bprivate\b|friends[ -]only/.test(message)) {
    return new SkipError("private", `${upstream} says that the post is private`, { upstream });
  }
  if (/\bdeleted\b|\bremoved\b|does ?n[o']t exist/.test(message)) {
    return new SkipError("gone", `${upstream} says that the post is gone`, { upstream });
  }
  return new RetryableError("bad_response", `${upstream} could not read the post`, { upstream });
}
