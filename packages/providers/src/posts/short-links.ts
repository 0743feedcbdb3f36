import {
  ClipmillError,
  type LinkResolver,
  type ParsedLink,
  parseLink,
  RetryableError,
  SkipError,
  UnrecoverableError,
} from "@clipmill/domain";
import { findSandboxGap } from "../http/sandbox-gap.ts";
import type { SafeHttp, SafeResponse } from "../http/safe-http.ts";
import { findPageRedirect } from "./page-redirect.ts";
import { parseRetryAfter, toStatusError } from "../http/upstream-error.ts";

export interface LinkResolverOptions {
  http: SafeHttp;
  /** Where a sandbox answers short links, at `<sandboxUrl>/t/<code>`. Default: none, TikTok is asked. */
  sandboxUrl?: string;
}

const MAX_HOPS = 4;
const UPSTREAM = "tiktok";

/** TikTok redirects link previews at once, and browsers only after a page of scripts. */
const HEADERS = { "user-agent": "facebookexternalhit/1.1", accept: "*/*" };

/** Follows a short link hop by hop. Every hop must itself be a link that `parseLink` accepts. */
export function createLinkResolver({ http, sandboxUrl }: LinkResolverOptions): LinkResolver {
  return {
    async resolve(shortUrl, { signal }) {
      let link = parseLink(shortUrl);
      for (let hops = 0; link.kind === "short"; hops++) {
        if (hops === MAX_HOPS) {
          throw new RetryableError(
            "bad_response",
            `the short link redirects over ${MAX_HOPS} times`,
            {
              upstream: UPSTREAM,
            },
          );
        }
        const address = sandboxUrl === undefined ? link.url : toSandbox(link.url, sandboxUrl);
        const response = await http.request(address, { signal, headers: HEADERS, maxRedirects: 0 });
        try {
          const gap = sandboxUrl === undefined ? null : findSandboxGap(response.headers);
          if (gap !== null) throw gap;
          const led = response.status === 200 ? await findPageRedirect(response) : null;
          link = led ?? readHop(response, link.url);
        } finally {
          await response.discard();
        }
      }
      return { awemeId: link.awemeId, url: link.url };
    },
  };
}

function toSandbox(shortUrl: string, sandboxUrl: string): string {
  const code = new URL(shortUrl).pathname.split("/").findLast((segment) => segment !== "");
  return `${sandboxUrl}/t/${code}`;
}

function readHop({ status, headers }: SafeResponse, from: string): ParsedLink {
  if (status === 404 || status === 410) throw toDead();
  if (status === 401 || status === 402 || status === 403) throw toBlocked();
  const { location } = headers;
  if (status < 300 || status > 399 || location === undefined || !URL.canParse(location, from)) {
    const retryAfterMs = parseRetryAfter(headers["retry-after"]);
    throw toStatusError(status, UPSTREAM, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  return parseHop(new URL(location, from).href);
}

/**
 * A dead code leads to the home page. A login, a captcha or a region page says nothing of the post, unless it names the
 * one that it stands before: another machine, or a later try, may see it. Whatever else is no post is the caller's
 * mistake, also a foreign host.
 */
function parseHop(url: string): ParsedLink {
  try {
    return parseLink(url);
  } catch (cause) {
    if (!(cause instanceof ClipmillError)) throw cause;
    const page = cause.code === "not_a_post" ? cause.details["page"] : null;
    if (page === "home") throw toDead(cause);
    if (page === "wall") throw toBlocked(cause);
    if (cause.code === "not_a_post") throw cause;
    throw new UnrecoverableError("not_a_post", "the short link leads away from TikTok's posts", {
      cause,
    });
  }
}

function toBlocked(cause?: unknown): RetryableError {
  return new RetryableError(
    "blocked",
    "TikTok does not tell this machine where the short link leads: it shows a login, a captcha or a region page",
    { cause, upstream: UPSTREAM },
  );
}

function toDead(cause?: unknown): SkipError {
  return new SkipError("gone", "the short link is dead", { cause, upstream: UPSTREAM });
}
