import { type ClipmillError, RetryableError, SkipError } from "@clipmill/domain";
import { findResetMs, type RateHeaders } from "../rate-headers.ts";
import { parseRetryAfter, toStatusError } from "../upstream-error.ts";

/** The error that an answer of TikLiveAPI stands for, or null for one that may hold a post. */
export function findTikLiveError(
  answer: { status: number; headers: RateHeaders; body: unknown },
  upstream: string,
): ClipmillError | null {
  const { status, headers, body } = answer;
  // The header names of the rate limit are not published.
  const retryAfter = headers["retry-after"];
  const named = parseRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined);
  const retryAfterMs = named ?? findResetMs(headers);
  const options = { upstream, retryAfterMs, details: { status } };
  if (status === 401 || status === 402 || status === 429 || status >= 500) {
    return toStatusError(status, upstream, { retryAfterMs });
  }
  const { message, isError } = readMessage(body);
  const said = message === null ? null : readMeaning(message, isError);
  if (said === "gone" || said === "private") {
    return new SkipError(said, `${upstream} says that the post is ${SKIP_WORDS[said]}`, options);
  }
  if (said !== null) return new RetryableError(said, `${upstream} says ${said}`, options);
  if (status === 403) {
    // Without a word of the API itself it is the firewall before it.
    const code = body === undefined ? "blocked" : "provider_key";
    return new RetryableError(code, `${upstream} answered 403`, options);
  }
  if (status !== 200) return toStatusError(status, upstream, { retryAfterMs });
  if (body === undefined)
    return new RetryableError("bad_response", `${upstream} sent no JSON`, options);
  if (message !== null || isError) {
    return new RetryableError(
      "bad_response",
      `${upstream} reports an error that is not known`,
      options,
    );
  }
  return null;
}

const SKIP_WORDS = { gone: "gone", private: "private" } as const;

/** Errors come with status 200 in two shapes: `{status:"error", message}` and a bare `{message}`. */
function readMessage(body: unknown): { message: string | null; isError: boolean } {
  if (typeof body !== "object" || body === null) return { message: null, isError: false };
  const fields = body as Record<string, unknown>;
  const isError = fields["status"] === "error" || fields["success"] === false;
  const holdsPost = ["id", "aweme_id", "video_id", "data"].some(
    (name) => fields[name] !== undefined && fields[name] !== null,
  );
  const message = fields["message"] ?? fields["error"];
  return {
    message: typeof message === "string" && (isError || !holdsPost) ? message : null,
    isError,
  };
}

type Meaning = "gone" | "private" | "provider_key" | "provider_balance" | "throttled";

/**
 * The one place that guesses by words, because this upstream tells in no other way. "Gone" and "private" end a post
 * for good, so they count only in the shape that the contract gives for them; a bare message is about our account.
 */
function readMeaning(message: string, isError: boolean): Meaning | null {
  const text = message.toLowerCase();
  if (isError && /\bprivate\b|friends[ -]only/.test(text)) return "private";
  if (isError && /not found|deleted|removed|does ?n[o']t exist|unavailable post/.test(text))
    return "gone";
  if (/balance|credit|quota|insufficient|payment/.test(text)) return "provider_balance";
  if (/api.?key|unauthori[sz]ed|invalid key|sign ?up|log ?in|forbidden/.test(text))
    return "provider_key";
  if (/rate limit|too many/.test(text)) return "throttled";
  return null;
}
