import { parseRetryAfter } from "./upstream-error.ts";

/** Headers of an answer, names in lower case. */
export type RateHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** A longer wait than this is a bug of theirs or an attack; after it they are asked again. */
const WAIT_MAX_MS = 3_600_000;
/** A number above this is a moment, below it a wait: thirty years of seconds. */
const UNIX_TIME_FROM = 1_000_000_000;

/**
 * For how long an upstream says that no call is left, in ms, one hour at most; undefined where calls are left, or it
 * does not say until when none is. Reads `X-RateLimit-Remaining` and `-Reset`, the same without `X-`, and `RateLimit`
 * in the shape of either draft (`remaining=0, reset=9` and `"default";r=0;t=9`).
 */
export function findHoldOffMs(headers: RateHeaders, now: number = Date.now()): number | undefined {
  const waits = [...readPairs(headers), ...readPolicies(headers)]
    .filter(({ remaining }) => remaining <= 0)
    .flatMap(({ reset }) => toWaitMs(reset, now) ?? []);
  return waits.length === 0 ? undefined : Math.max(...waits);
}

/** How long a refused call is to wait, in ms: `Retry-After`, else until the rate limit's window ends; undefined for neither. */
export function findWaitMs(headers: RateHeaders, now: number = Date.now()): number | undefined {
  const retryAfter = headers["retry-after"];
  const named = parseRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined, now);
  if (named !== undefined) return named;
  for (const { reset } of [...readPairs(headers), ...readPolicies(headers)]) {
    const waitMs = toWaitMs(reset, now);
    if (waitMs !== undefined) return waitMs;
  }
  return undefined;
}

interface Limit {
  /** NaN where it is not told. */
  remaining: number;
  /** Seconds to wait, or a Unix time; NaN where it is not told. */
  reset: number;
}

function readPairs(headers: RateHeaders): Limit[] {
  return ["x-ratelimit", "x-rate-limit", "ratelimit"].map((name) => ({
    remaining: toNumber(headers[`${name}-remaining`]),
    reset: toNumber(headers[`${name}-reset`]),
  }));
}

const HEADER_MAX_CHARS = 1_000;

/** `RateLimit` may name several limits, the header may stand there twice. */
function readPolicies(headers: RateHeaders): Limit[] {
  const lines = [headers["ratelimit"] ?? []].flat();
  return lines.flatMap((header) => {
    const line = header.slice(0, HEADER_MAX_CHARS);
    const old = readFields(line);
    if (old.has("remaining")) return [toLimit(old.get("remaining"), old.get("reset"))];
    return line.split(",").map((policy) => {
      const fields = readFields(policy);
      return toLimit(fields.get("r"), fields.get("t"));
    });
  });
}

function toLimit(remaining: string | undefined, reset: string | undefined): Limit {
  return { remaining: toNumber(remaining), reset: toNumber(reset) };
}

function readFields(text: string): Map<string, string> {
  const fields = text.matchAll(/(?:^|[,;])\s*(\w+)=(-?\d{1,16})/g);
  return new Map([...fields].map(([, name = "", value = ""]) => [name, value]));
}

function toNumber(value: string | string[] | undefined): number {
  const text = typeof value === "string" ? value.trim() : "";
  return /^-?\d{1,16}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
}

function toWaitMs(reset: number, now: number): number | undefined {
  if (!(reset > 0)) return undefined;
  const isMs = reset > UNIX_TIME_FROM * 1_000;
  const untilMs = isMs ? reset : reset * 1_000;
  const waitMs = reset > UNIX_TIME_FROM ? untilMs - now : untilMs;
  return waitMs > 0 ? Math.min(WAIT_MAX_MS, Math.ceil(waitMs)) : undefined;
}
