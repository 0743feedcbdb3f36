import { type ClipmillError, isSimulated, RetryableError, SkipError } from "@clipmill/domain";
import { findWaitMs, type RateHeaders } from "../../http/rate-headers.ts";
import { findSandboxGap } from "../../http/sandbox-gap.ts";
import { toStatusError } from "../../http/upstream-error.ts";

/** The error that an answer of TikLiveAPI stands for, or null for one that may hold a post. */
export function findTikLiveError(
  answer: { status: number; headers: RateHeaders; body: unknown },
  upstream: string,
): ClipmillError | null {
  const { status, headers, body } = answer;
  const gap = isSimulated(upstream) ? findSandboxGap(headers) : null;
  if (gap !== null) return gap;
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
  const holdsData = DATA_FIELDS.some((name) => fields[name] !== undefined && fields[name] !== null);
  const message = fields["message"] ?? fields["error"];
  return {
    message: typeof message === "string" && (isError || !holdsData) ? message : null,
    isError,
  };
}

/** What an answer holds that is none about an error, whatever message comes with it: a post, a list, a creator. */
const DATA_FIELDS = ["id", "aweme_id", "video_id", "videos", "comments", "user", "data"];

type Meaning = "gone" | "private" | "provider_key" | "provider_balance" | "throttled";

/**
 * The one place that guesses by words, because this upstream tells in no other way. "Gone" and "private" end a post
 * for good, so they count only in the shape that the contract gives for them; a bare message is about our account.
 */
function readMeaning(message: string, isError: boolean): Meaning | null {
  const text = message.toLowerCase();
  // A key that is not found, or an endpoint, is no post that is.
  const isAboutPost = isError && !KEY.test(text) && !/endpoint|route/.test(text);
  if (isAboutPost && /\bprivate\b|friends[ -]only/.test(text)) return "private";
  if (isAboutPost && /not found|deleted|removed|not exist|doesn['’]?t exist/.test(text))
    return "gone";
  if (/balance|credit|quota|insufficient|payment/.test(text)) return "provider_balance";
  if (KEY.test(text) || /unauthori[sz]ed|unauthenticated|sign ?up|log ?in|forbidden/.test(text))
    return "provider_key";
  if (/rate.?limit|too many|slow down/.test(text)) return "throttled";
  return null;
}

const KEY = /api.?key|\b(invalid|private|secret|access|your) key\b/;
