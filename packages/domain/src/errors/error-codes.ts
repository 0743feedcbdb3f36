/**
 * The closed registry of error codes. Each code fixes what the queue does (`disposition`), the status
 * that HTTP gives for it, whether the caller's credit comes back (`refund`), whether another
 * provider may be tried (`failover`), and whether it uses up an attempt (`counts`). The table in ERRORS.md is
 * compared with it by a test.
 */
export const ERROR_CODES = {
  // What a caller can get wrong.
  invalid_request: entry("unrecoverable", 400, "The request is malformed."),
  invalid_link: entry("unrecoverable", 422, "The text holds no link or id of a TikTok post."),
  not_a_post: entry(
    "unrecoverable",
    422,
    "The link leads to a profile, tag, sound or live, not to a post.",
  ),
  unsupported: entry(
    "unrecoverable",
    422,
    "The link or file is of a kind that clipmill does not process.",
    { failover: true },
  ),
  not_found: entry("unrecoverable", 404, "There is no such job or post."),
  cross_site: entry("unrecoverable", 403, "The request comes from a page of another site."),
  insufficient_credits: entry(
    "unrecoverable",
    402,
    "The tenant's credits do not cover the request.",
  ),
  idempotency_conflict: entry(
    "unrecoverable",
    422,
    "The idempotency key was used with another body.",
  ),
  deadline_missed: entry("unrecoverable", 422, "The deadline passed before the work was done."),

  // What is true of the post.
  gone: entry("skip", 404, "The post is deleted or never existed."),
  private: entry("skip", 403, "The post is private or for friends only."),
  region_locked: entry("skip", 451, "The video is not served in this region."),
  no_audio: entry("skip", 200, "The post has no audio track."),
  no_speech: entry("skip", 200, "The audio holds no speech."),
  no_pictures: entry("skip", 200, "The post has no picture to read."),
  no_ocr_engine: entry("skip", 200, "No engine that reads on-screen text is installed."),
  unread_text: entry(
    "skip",
    200,
    "There may be on-screen text in a script that the engine does not know.",
  ),
  corrupt_media: entry("unrecoverable", 422, "The media file is broken."),
  too_large: entry("unrecoverable", 422, "The media file is over the size limit.", {
    failover: true,
  }),
  too_long: entry("unrecoverable", 422, "The media is over the duration limit."),
  no_content: entry("unrecoverable", 422, "The file holds neither audio nor video."),

  // What other people's machines do.
  throttled: entry("retryable", 429, "The upstream asked us to slow down.", {
    failover: true,
    counts: false,
  }),
  rate_limited: entry("retryable", 429, "Our rate at the upstream is used up; the job waits.", {
    counts: false,
  }),
  paused: entry("retryable", 503, "The upstream is left alone after too many failures.", {
    failover: true,
    counts: false,
  }),
  blocked: entry("retryable", 502, "The upstream refuses this machine.", { failover: true }),
  stale_link: entry("retryable", 502, "The media link expired before it was fetched.", {
    failover: true,
  }),
  provider_key: entry("retryable", 503, "The provider rejects our key.", {
    failover: true,
    counts: false,
  }),
  provider_balance: entry("retryable", 503, "Our account at the provider is empty.", {
    failover: true,
    counts: false,
  }),
  upstream_unavailable: entry("retryable", 502, "The upstream failed or timed out.", {
    failover: true,
  }),
  bad_response: entry("retryable", 502, "The upstream's answer makes no sense.", {
    failover: true,
  }),
  refused: entry("unrecoverable", 422, "The model refused to answer."),
  invalid_answer: entry(
    "unrecoverable",
    502,
    "The engine's answer was paid for and cannot be read, for a model also after one repair.",
    { failover: true },
  ),

  // What our own side does.
  engine_unavailable: entry(
    "retryable",
    503,
    "No engine of the recipe is available on this worker.",
    { failover: true, counts: false },
  ),
  engine_failed: entry("retryable", 502, "A recognition or media engine crashed."),
  storage_failed: entry("retryable", 503, "Stored media could not be read or written."),
  timeout: entry("retryable", 504, "The stage ran over its time limit."),
  poison: entry("unrecoverable", 422, "The job killed its worker three times while it ran alone."),
  invalid_input: entry("unrecoverable", 500, "The job's data is malformed."),
  cancelled: entry("unrecoverable", 409, "The request was cancelled."),
  unavailable: entry("retryable", 503, "A service that clipmill needs is down."),
  internal: entry("retryable", 500, "Something unexpected failed."),
} as const satisfies Record<string, ErrorCodeEntry>;

export type Disposition = "retryable" | "unrecoverable" | "skip";

export interface ErrorCodeEntry {
  readonly disposition: Disposition;
  /** The status of a problem document with this code. */
  readonly status: number;
  /** One plain sentence; RFC 9457 `title`. */
  readonly title: string;
  /** Whether the caller's credit is given back. All failures refund; so does a skip that ends the request. */
  readonly refund: boolean;
  /** Whether the next provider of the recipe may be tried at once. */
  readonly failover: boolean;
  /**
   * Whether an attempt that ends so is one of those that a stage has. False where waiting is nobody's failure: the job
   * waits as long as it lasts.
   */
  readonly counts: boolean;
}

export type ErrorCode = keyof typeof ERROR_CODES;

export type CodeOf<D extends Disposition> = {
  [C in ErrorCode]: (typeof ERROR_CODES)[C]["disposition"] extends D ? C : never;
}[ErrorCode];

function entry<const D extends Disposition>(
  disposition: D,
  status: number,
  title: string,
  { failover = false, counts = true }: { failover?: boolean; counts?: boolean } = {},
) {
  return { disposition, status, title, refund: status !== 200, failover, counts };
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}
