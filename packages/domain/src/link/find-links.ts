import { ClipmillError, UnrecoverableError } from "../errors/errors.ts";
import { AwemeId } from "../ids.ts";
import { isLinkHost } from "./link-hosts.ts";
import { parseLink } from "./link.ts";
import type { ParsedLink } from "./parsed-link.ts";

/** One link of a text: which post it stands for, or why for none. */
export type FoundLink = ParsedLink | { kind: "invalid"; reason: string };

/** What parts the links of a line, beside commas and semicolons. */
const SEPARATOR = /[\s<>"`{}|^\u3000\u3001]/u;
/** Lines without any of these hold one link at most, and most lines are so. */
const MAY_SEPARATE = /[\s<>"`{}|^,;\u3000\u3001]/u;

/**
 * All links of one line or cell of a list. Where it holds nothing but links and ids, each of them counts, also one that
 * is none; among other words, those that stand for posts, once each. A text without any is one invalid link, so that
 * no line of a list is passed over in silence. Linear in the text's length, and never empty.
 */
export function findLinks(text: string): FoundLink[] {
  if (!MAY_SEPARATE.test(text)) return [toFound(text)];
  const tokens = text
    .split(SEPARATOR)
    .flatMap(splitAtCommas)
    .filter((token) => token !== "");
  const links = tokens.filter(mayBeLink);
  if (links.length <= 1 && tokens.length <= 1) return [toFound(text)];
  if (links.length === tokens.length) return links.map(toFound);
  const posts = new Map<string, FoundLink>();
  for (const token of withoutStrayIds(links)) {
    const found = toFound(token);
    if (found.kind !== "invalid") posts.set(found.url, found);
  }
  return posts.size === 0 ? [toFound(text)] : [...posts.values()];
}

/** A comma or semicolon parts links only where the next one begins: it may also stand within one. */
function splitAtCommas(token: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at < token.length; at++) {
    if (!",;".includes(token.charAt(at)) || !LINK_START.test(token.slice(at + 1, at + 40)))
      continue;
    pieces.push(token.slice(from, at));
    from = at + 1;
  }
  return [...pieces, token.slice(from)];
}

const LINK_START = /^["'([]{0,2}(?:https?:\/\/|\d{15,20}(?!\d)|[a-z]{0,6}\.?tiktok)/i;

function mayBeLink(token: string): boolean {
  if (token.includes("://") || /^https?%/i.test(token) || isId(token)) return true;
  const host = /^[('*[]{0,8}([a-z0-9.-]{1,253})\//i.exec(token)?.[1] ?? "";
  return isLinkHost(host.toLowerCase());
}

/** A number among words is a post only where it is the one candidate: beside a link it may be anything's id. */
function withoutStrayIds(tokens: readonly string[]): readonly string[] {
  return tokens.length === 1 ? tokens : tokens.filter((token) => !isId(token));
}

function isId(token: string): boolean {
  return AwemeId.safeParse(toBareId(token)).success;
}

/** An id as a spreadsheet keeps it from being rounded: `'71…` or `="71…"`, or with a comma behind it. */
function toBareId(text: string): string {
  return text.replace(/^=?["']{1,3}(?=\d)/, "").replace(/(?<=\d)["',;]{1,4}$/, "");
}

/** A number of this size as a spreadsheet shows it: only its first digits are left. */
const ROUNDED = /^["'=]{0,3}\d[.,]?\d{0,17}E\+1[4-9]["']{0,2}$/i;

function toFound(text: string): FoundLink {
  const trimmed = text.trim();
  try {
    return parseLink(toBareId(trimmed));
  } catch (error) {
    if (!(error instanceof ClipmillError)) throw error;
    const reason = ROUNDED.test(trimmed) ? toRounded().message : error.message;
    return { kind: "invalid", reason };
  }
}

function toRounded(): UnrecoverableError {
  return new UnrecoverableError(
    "invalid_link",
    "a spreadsheet has rounded this id, and its last digits are lost; format the column as text, or give links",
  );
}
