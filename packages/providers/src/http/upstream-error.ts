import { type ErrorOptions, RetryableError, toNamedWaitMs } from "@clipmill/domain";

/**
 * The error for an HTTP status that is not success, where the status alone tells enough. The body stays out of the
 * message: it may quote what we sent.
 */
export function toStatusError(
  status: number,
  upstream: string,
  options: Omit<ErrorOptions, "upstream"> = {},
): RetryableError {
  const code =
    status === 401 || status === 403
      ? "provider_key"
      : status === 402
        ? "provider_balance"
        : status === 429
          ? "throttled"
          : status === 408 || status >= 500
            ? "upstream_unavailable"
            : "bad_response";
  return new RetryableError(code, `${upstream} ${toWords(code, status)}`, {
    ...options,
    upstream,
    details: { ...options.details, status },
  });
}

function toWords(code: string, status: number): string {
  if (code === "provider_key") return `does not accept the key (${status})`;
  // Some say so with another status, in words.
  if (code === "provider_balance") return "says that the account is empty";
  return `answered ${status}`;
}

/** `Retry-After` in ms, an hour at most, from seconds or an HTTP date; undefined where it is missing or makes no sense. */
export function parseRetryAfter(
  value: string | null | undefined,
  now: number = Date.now(),
): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (/^\d{1,7}(\.\d{1,9})?$/.test(value.trim()))
    return toNamedWaitMs(Math.ceil(Number(value) * 1000));
  // Date.parse alone takes "-5" for a year.
  const at = value.endsWith(" GMT") ? Date.parse(value) : Number.NaN;
  return toNamedWaitMs(at - now);
}

const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  // The HTTP client refused the request itself.
  "UND_ERR_INVALID_ARG",
]);

/**
 * Whether a request that broke off may have reached the upstream, and so may be billed. Follows causes, since HTTP
 * clients wrap the socket's error.
 */
export function mayHaveArrived(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && NEVER_SENT.has(String(cause.code))) return false;
  }
  return true;
}
