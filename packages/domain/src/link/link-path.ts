import { UnrecoverableError } from "../errors/errors.ts";
import { AwemeId } from "../ids.ts";
import { SHORT_HOSTS, toCodeHost } from "./link-hosts.ts";
import { toPageError } from "./other-page.ts";
import type { ParsedLink } from "./parsed-link.ts";

/** A path in its parts. A locale such as `en` or `en-US` is taken off. */
export interface LinkPath {
  segments: readonly string[];
  hasLocale: boolean;
}

export function toLinkPath(host: string, path: string): LinkPath {
  if (SHORT_HOSTS.has(host)) return { segments: toSegments(path, "/"), hasLocale: false };
  const segments = toSegments(path, /\/|%2f/i);
  // No route of TikTok has a name of two letters, but a short code may.
  const hasLocale = /^[a-z]{2}(-[a-z]{2,4})?$/i.test(segments[0] ?? "");
  return { segments: hasLocale ? segments.slice(1) : segments, hasLocale };
}

function toSegments(path: string, separator: string | RegExp): string[] {
  return path.split(separator).filter((segment) => segment !== "");
}

/** The routes that a post's id follows, after an optional creator. */
const POST_ROUTE =
  /^(?:(?<handle>(?:@|%40)[^/]*)\/)?(?:(?<form>video|photo)|story|v|embed|embed\/v\d|player\/v1|aweme\/detail|(?:i18n\/|h5\/)?share\/(?<shared>video|photo))$/i;

/** The post that a path names. Throws `invalid_link` where an id should stand and none does. */
export function findPost(segments: readonly string[]): ParsedLink | null {
  for (let length = 1; length <= 3 && length < segments.length; length++) {
    const route = POST_ROUTE.exec(segments.slice(0, length).join("/"));
    // `embed` is the start of `embed/v2` as well: an id decides.
    if (route === null || /^v\d$/.test(segments[length] ?? "")) continue;
    const { handle = "@", form, shared } = route.groups ?? {};
    return toPostLink(readId(segments[length] ?? ""), handle, form ?? shared ?? "video");
  }
  return null;
}

/** Digits up to the end, or up to what no id goes on with: a comma of a list, an escaped `?`, the rest of a sentence. */
function readId(segment: string): AwemeId {
  const id = /^([0-9]{15,20})(?![0-9A-Za-z_-])/.exec(segment)?.[1];
  if (id === undefined) {
    throw new UnrecoverableError("invalid_link", "the id in the link is not 15 to 20 digits");
  }
  return id;
}

/** Any handle finds the post, so one of another shape than TikTok's is left out and not repaired. */
export function toPostLink(awemeId: AwemeId, rawHandle = "@", form = "video"): ParsedLink {
  const handle = rawHandle.replace(/^%40/u, "@");
  const safe = /^@[\w.-]{1,64}$/u.test(handle) ? handle : "@";
  const kind = form.toLowerCase();
  return { kind: "post", awemeId, url: `https://www.tiktok.com/${safe}/${kind}/${awemeId}` };
}

/** The short code that a path names: all of it on `vm.` and `vt.`, what follows `/t/` elsewhere. */
export function findCode(host: string, [first = "", second = ""]: readonly string[]) {
  const isShortHost = SHORT_HOSTS.has(host);
  if (isShortHost) {
    if (first === "") throw toPageError("home");
    return toShortLink(`https://${host}/`, first);
  }
  const codeHost = toCodeHost(host);
  if (codeHost === null || first !== "t" || second === "") return null;
  return toShortLink(`https://${codeHost}/t/`, second);
}

function toShortLink(before: string, segment: string): ParsedLink {
  const code = /^[\w-]{1,40}(?![\w%-])/.exec(segment)?.[0];
  if (code === undefined) {
    throw new UnrecoverableError("invalid_link", "the code of the short link is malformed");
  }
  return { kind: "short", url: `${before}${code}/` };
}

/** Parameters that name the post on pages that name none: a feed that was left at it, a link that was shared. */
const ID_PARAMETERS = ["share_item_id", "item_id", "aweme_id"];

export function findPostInQuery(query: URLSearchParams): ParsedLink | null {
  for (const name of ID_PARAMETERS) {
    const id = AwemeId.safeParse(query.get(name)).data;
    if (id !== undefined) return toPostLink(id);
  }
  return null;
}
