import { ClipmillError, UnrecoverableError } from "../errors/errors.ts";
import { AwemeId } from "../ids.ts";
import { DOUYIN_HOSTS, isAppPageHost, isLinkHost, toApp } from "./link-hosts.ts";
import { findCode, findPost, findPostInQuery, toLinkPath, toPostLink } from "./link-path.ts";
import { findRawLink, type RawLink, toVisibleText } from "./link-text.ts";
import { toOtherPage, toPageError } from "./other-page.ts";
import type { ParsedLink } from "./parsed-link.ts";

/** How many links may be wrapped in one another: a login page leads to a page that leads to the post. */
const MAX_DEPTH = 3;

/**
 * Parses a TikTok link, a bare id or pasted share text, of which the first link counts. The answer is built from
 * the parts that were recognised, never copied. Linear in the text's length.
 * Throws UnrecoverableError `invalid_link`, `not_a_post` (with `details.page`) or `unsupported`, and nothing else.
 */
export function parseLink(text: string): ParsedLink {
  return parseText(text, 1);
}

function parseText(text: string, depth: number): ParsedLink {
  const visible = toVisibleText(text);
  if (AwemeId.safeParse(visible).success) return toPostLink(visible);
  const link = findRawLink(visible);
  if (link === null) {
    throw new UnrecoverableError(
      "invalid_link",
      "no TikTok link found; give the link of a post, its id of 15 to 20 digits, or share text",
    );
  }
  if (link.path.includes("\\") && isLinkHost(toHost(link.authority))) {
    throw new UnrecoverableError("invalid_link", "the link holds a backslash");
  }
  return toApp(link.scheme) === null ? parsePage(link, depth) : parseAppLink(link);
}

function parsePage(link: RawLink, depth: number): ParsedLink {
  const host = checkHost(link.authority);
  if (DOUYIN_HOSTS.has(host)) throw toDouyinError();
  const { segments, hasLocale } = toLinkPath(host, link.path);
  const named = findPost(segments) ?? findCode(host, segments);
  if (named !== null) return named;
  const query = new URLSearchParams(link.query);
  const asked = findPostInQuery(query) ?? findNested(query, depth);
  if (asked !== null) return asked;
  throw toPageError(isAppPageHost(host) ? "wall" : toOtherPage(segments, { hasLocale }));
}

/** `snssdk1233://aweme/detail/<id>`: what stands where a host would is the route's first part. */
function parseAppLink({ authority, path, scheme }: RawLink): ParsedLink {
  if (toApp(scheme) === "douyin") throw toDouyinError();
  const { segments, hasLocale } = toLinkPath("", `/${authority}${path}`);
  const named = findPost(segments);
  if (named !== null) return named;
  throw toPageError(toOtherPage(segments, { hasLocale }));
}

/** Parameters in which a page that stands before another one names that one. */
const LINK_PARAMETERS = [
  "redirect_url",
  "redirect",
  "url",
  "target",
  "next",
  "deep_link_value",
  "af_dp",
  "af_web_dp",
];

/** The post behind a login page, an embed, or a page that opens the app. What is no link of a post is passed over. */
function findNested(query: URLSearchParams, depth: number): ParsedLink | null {
  if (depth >= MAX_DEPTH) return null;
  for (const name of LINK_PARAMETERS) {
    const value = query.get(name);
    if (value === null || value === "") continue;
    try {
      return parseText(
        /^\/(?!\/)/.test(value) ? `https://www.tiktok.com${value}` : value,
        depth + 1,
      );
    } catch (error) {
      if (!(error instanceof ClipmillError)) throw error;
    }
  }
  return null;
}

/** The raw authority must be one of our hosts, letter by letter: no decoding, so no look-alike decodes to it. */
function checkHost(authority: string): string {
  const host = toHost(authority);
  if (isLinkHost(host)) return host;
  throw new UnrecoverableError("invalid_link", explainHost(host));
}

/** Not toLowerCase, which turns U+212A into a plain k. */
function toHost(authority: string): string {
  return authority.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function explainHost(host: string): string {
  if (host === "") return "the link has no host";
  if (host.includes("@")) return "links with user info (name@host) are not accepted";
  if (/^\[|^\d+(\.\d+){0,3}(:|$)|^0x/u.test(host)) return "links to an IP address are not accepted";
  if (host.includes(":")) return "links with a port are not accepted";
  if (host.endsWith(".")) return "the link's host ends in a dot";
  if (/^[a-z0-9.-]{1,80}\.tiktok\.com$/u.test(host)) {
    return `${host} is not a TikTok host that names posts`;
  }
  // Printed only when it cannot hide anything from the reader.
  if (/^[a-z0-9.-]{1,80}$/u.test(host)) return `${host} is not a TikTok host`;
  return "the link's host is not TikTok's, though it may look like it";
}

function toDouyinError(): UnrecoverableError {
  return new UnrecoverableError("unsupported", "Douyin links are not supported, only TikTok's");
}
