import {
  ClipmillError,
  type EngineId,
  RetryableError,
  SkipError,
  UnrecoverableError,
} from "@clipmill/domain";
import { findWaitMs, type RateHeaders } from "../../http/rate-headers.ts";
import { toStatusError } from "../../http/upstream-error.ts";

/** The error that an answer of TikLiveAPI stands for, or null for one that may hold a post. */
export function findTikLiveError(
  answer: { status: number; headers: RateHeaders; body: unknown },
  upstream: string,
): ClipmillError | null {
  const { status, headers, body } = answer;
  const retryAfterMs = findWaitMs(headers);
  const options = { upstream, retryAfterMs, details: { status } };
  if (status === 401 || status === 402 || status === 429 || status >= 500) {
    return toStatusError(status, upstream, { retryAfterMs });
  }
  const { message, isError } = readMessage(body);
  const said = message === null ? null : readMeaning(message, isError);
  if (said === "gone" || said === "private") {
    return new SkipError(said, `${upstream} says that the post is ${SKIP_WORDS[said]}`, options);
  }
  if (said === "restricted") {
    return new UnrecoverableError(
      "unsupported",
      `${upstream} says that the post is age-restricted: TikTok shows it to people who are logged in only`,
      options,
    );
  }
  if (said === "suspicious") {
    return new RetryableError("bad_response", `${upstream} asks for a login`, {
      ...options,
      details: { status, suspicious: true },
    });
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

/** Whether the answer may be about our account or about the post: only other posts can tell. */
export function isSuspicious(error: unknown): error is ClipmillError {
  return error instanceof ClipmillError && error.details["suspicious"] === true;
}

/** What a suspicious answer is once several posts have got it. */
export function toAccountError(cause: ClipmillError, upstream: EngineId): RetryableError {
  return new RetryableError("provider_key", `${upstream} asks for a login for every post`, {
    cause,
    upstream,
    details: cause.details,
  });
}

const MESSAGE_MAX_CHARS = 1_000;

/**
 * Errors come with status 200 in two shapes, `{status:"error", message}` and a bare `{message}`; `msg` and a message inside of
 * `error` are read as well.
 */
function readMessage(body: unknown): { message: string | null; isError: boolean } {
  if (typeof body !== "object" || body === null) return { message: null, isError: false };
  const fields = body as Record<string, unknown>;
  const isError = fields["status"] === "error" || fields["success"] === false;
  const holdsData = DATA_FIELDS.some((name) => fields[name] !== undefined && fields[name] !== null);
  const error = fields["error"];
  const inner = typeof error === "object" && error !== null && "message" in error && error.message;
  const message = [fields["message"], fields["msg"], error, inner].find(
    (each) => typeof each === "string",
  );
  return {
    message:
      typeof message === "string" && (isError || !holdsData)
        ? message.slice(0, MESSAGE_MAX_CHARS)
        : null,
    isError,
  };
}

/** What an answer holds that is none about an error, whatever message comes with it: a post, a list, a creator. */
const DATA_FIELDS = ["id", "aweme_id", "video_id", "videos", "comments", "user", "data"];

type Meaning =
  | "gone"
  | "private"
  | "restricted"
  | "provider_key"
  | "provider_balance"
  | "suspicious"
  | "throttled";

/**
 * The one place that guesses by words, because this upstream tells in no other way. What ends a post counts only in
 * the shape that the contract gives for posts; a bare message is about our account. A word in the shape for posts that
 * may be about our account is `suspicious`: one odd post must not pause the source for all.
 */
function readMeaning(message: string, isError: boolean): Meaning | null {
  const text = message.toLowerCase();
  // A key that is not found, or an endpoint, is no post that is.
  const isAboutKey = KEY.test(text);
  if (isError && !isAboutKey && !/endpoint|route/.test(text)) {
    if (/\bprivate\b|friends[ -]only/.test(text)) return "private";
    if (/age.?(restrict|gate|limit)|mature|sensitive|\b18\+/.test(text)) return "restricted";
    if (GONE.test(text) && !/temporar|service|server|later/.test(text)) return "gone";
  }
  if (/balance|credit|quota|insufficient|payment/.test(text)) return "provider_balance";
  if (isAboutKey) return "provider_key";
  if (!isError && /\bplan\b|subscri|upgrade|trial|expired/.test(text)) return "provider_balance";
  if (/unauthori[sz]ed|unauthenticated|sign ?(up|in)|log ?in|forbidden/.test(text))
    return isError ? "suspicious" : "provider_key";
  if (/rate.?limit|too many|slow down/.test(text)) return "throttled";
  return null;
}

const GONE = /not found|deleted|removed|not exist|doesn['’]?t exist|unavailable|not available/;
const KEY = /api.?key|\b(invalid|private|secret|access|your) key\b/;
