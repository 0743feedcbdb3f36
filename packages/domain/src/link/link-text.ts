import { UnrecoverableError } from "../errors/errors.ts";
import { isLinkHost, toApp } from "./link-hosts.ts";

/** TikTok captions have at most 4,000 characters; a paste beyond this is not share text. */
const MAX_TEXT_LENGTH = 10_000;

/** Zero-width and bidirectional marks: invisible, so an id or host that continues across one was not read by a person. */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u;
/** Never part of a link as people paste it; `\` is not here, because browsers read it as `/`. */
const DELIMITER = /[\s<>"`{}|^\u3000\uff0c\u3002\u3001\u300c\u300d\uff08\uff09]+/u;
const CLOSING = new Set(".,;:!?'*)]");
/** What may stand directly before a link. Anything else makes it the tail of another address, as in `evil.io#https://…`. */
const BEFORE_LINK = /[(['*,;!:]|[\u0080-\uffff]/u;

/** `snssdk1233` has ten letters. */
const MAX_SCHEME_LENGTH = 16;

/** A link cut out of a text, in raw parts: nothing is decoded or normalised, so that nothing can change its meaning later. */
export interface RawLink {
  /** In lower case: `http`, `https`, or one of the app's (see `toApp`). */
  scheme: string;
  /** As written, in any case; may hold user info, a port or anything else. */
  authority: string;
  /** `""`, or starts with `/` or `\\`. */
  path: string;
  /** Without `?`; `""` if there is none. */
  query: string;
}

/** Replaces what the eye cannot see and refuses what no keyboard types. Throws `invalid_link`. */
export function toVisibleText(text: string): string {
  if (text.length > MAX_TEXT_LENGTH) {
    throw new UnrecoverableError(
      "invalid_link",
      `the text has ${text.length} characters; paste the link alone, or share text of at most ${MAX_TEXT_LENGTH}`,
    );
  }
  const visible = text.replace(INVISIBLE, " ").trim();
  if (CONTROL.test(visible)) {
    throw new UnrecoverableError("invalid_link", "the text holds control characters");
  }
  return visible;
}

/** The first link of a text, with its scheme or starting with a host that we know; null if there is none. */
export function findRawLink(text: string): RawLink | null {
  for (const token of text.split(DELIMITER)) {
    const link = readToken(withoutClosing(token));
    if (link !== null) return link;
  }
  return null;
}

function readToken(token: string): RawLink | null {
  if (ESCAPED_SCHEME.test(token)) return readToken(toUnescaped(token));
  const bare = token.replace(/^[('*[]{1,8}/u, "");
  // Without a scheme, a host alone is a mention ("on tiktok.com"), not a link.
  // No `u` beside `i`: together they let U+212A (K) pass for a k.
  const host = /^[a-z0-9.-]{1,253}(?=[/?#@:\\])/i.exec(bare)?.[0] ?? "";
  if (isLinkHost(host.toLowerCase())) return toRawLink("https", bare);
  const marker = token.indexOf("://");
  if (marker === -1) return null;
  const scheme = readScheme(token, marker);
  const start = marker - scheme.length;
  const before = start === 0 ? "" : token.charAt(start - 1);
  if (before !== "" && !BEFORE_LINK.test(before)) {
    throw new UnrecoverableError("invalid_link", "the link is part of another address");
  }
  return toRawLink(scheme, token.slice(marker + 3));
}

/** The scheme that ends at `end`. Of `seehttps://…` it is https, so that the rest is seen as what stands before. */
function readScheme(token: string, end: number): string {
  const before = token.slice(Math.max(0, end - MAX_SCHEME_LENGTH), end);
  const web = /https?$/i.exec(before)?.[0];
  if (web !== undefined) return web.toLowerCase();
  const scheme = /[a-z][a-z0-9]*$/i.exec(before)?.[0].replace(/[A-Z]/g, (c) => c.toLowerCase());
  if (scheme !== undefined && toApp(scheme) !== null) return scheme;
  throw new UnrecoverableError("invalid_link", "only http and https links are accepted");
}

/** A link that was escaped as a whole, as it stands in a parameter of another one; up to three times over. */
const ESCAPED_SCHEME = /^https?%(?:25){0,2}3a%/i;

function toUnescaped(token: string): string {
  let text = token;
  try {
    while (ESCAPED_SCHEME.test(text)) text = decodeURIComponent(text);
  } catch {
    throw new UnrecoverableError("invalid_link", "the link's escapes are malformed");
  }
  // What an escape hid is judged as if it had been written out: it ends the link.
  return toVisibleText(text).split(DELIMITER)[0] ?? "";
}

function toRawLink(scheme: string, text: string): RawLink {
  const authorityEnd = indexOfAny(text, "/?#\\", 0);
  const pathEnd = indexOfAny(text, "?#", authorityEnd);
  const fragment = text.indexOf("#", pathEnd);
  return {
    scheme,
    authority: text.slice(0, authorityEnd),
    path: text.slice(authorityEnd, pathEnd),
    query: text.slice(pathEnd + 1, fragment === -1 ? undefined : Math.max(fragment, pathEnd + 1)),
  };
}

/** A loop, because `[.,…]+$` as a pattern takes quadratic time on a run of dots that something follows. */
function withoutClosing(text: string): string {
  let end = text.length;
  while (end > 0 && CLOSING.has(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function indexOfAny(text: string, characters: string, from: number): number {
  for (let i = from; i < text.length; i++) if (characters.includes(text.charAt(i))) return i;
  return text.length;
}
