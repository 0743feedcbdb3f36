import { UnrecoverableError } from "../errors/errors.ts";
import { isLinkHost } from "./link-hosts.ts";

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

/** A link cut out of a text, in raw parts: nothing is decoded or normalised, so that nothing can change its meaning later. */
export interface RawLink {
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
  const bare = token.replace(/^[('*[]{1,8}/u, "");
  // Without a scheme, a host alone is a mention ("on tiktok.com"), not a link.
  // No `u` beside `i`: together they let U+212A (K) pass for a k.
  const host = /^[a-z0-9.-]{1,253}(?=[/?#@:\\])/i.exec(bare)?.[0] ?? "";
  if (isLinkHost(host.toLowerCase())) return toRawLink(bare);
  const marker = token.indexOf("://");
  if (marker === -1) return null;
  const scheme = /https?$/i.exec(token.slice(Math.max(0, marker - 5), marker))?.[0];
  if (scheme === undefined) {
    throw new UnrecoverableError("invalid_link", "only http and https links are accepted");
  }
  const start = marker - scheme.length;
  const before = start === 0 ? "" : token.charAt(start - 1);
  if (before !== "" && !BEFORE_LINK.test(before)) {
    throw new UnrecoverableError("invalid_link", "the link is part of another address");
  }
  return toRawLink(token.slice(marker + 3));
}

function toRawLink(text: string): RawLink {
  const authorityEnd = indexOfAny(text, "/?#\\", 0);
  const pathEnd = indexOfAny(text, "?#", authorityEnd);
  const fragment = text.indexOf("#", pathEnd);
  return {
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
