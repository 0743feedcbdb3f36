import { UnrecoverableError } from "../errors/errors.ts";
import { AwemeId } from "../ids.ts";
import { DOUYIN_HOSTS, isLinkHost, PAGE_HOSTS, SHORT_HOSTS } from "./link-hosts.ts";
import { findRawLink, type RawLink, toVisibleText } from "./link-text.ts";

/** What a link turned out to be. `url` is canonical and https. */
export type ParsedLink =
  | { kind: "post"; awemeId: AwemeId; url: string }
  /** Only the resolve stage can tell which post it is. */
  | { kind: "short"; url: string };

/** A page of TikTok that is no post; `details.page` of a `not_a_post` error. */
export type OtherPage =
  | "home"
  | "profile"
  | "tag"
  | "sound"
  | "collection"
  | "live"
  | "search"
  | "other";

/**
 * Parses a TikTok link, a bare id or pasted share text, of which the first link counts. The answer is built from
 * the parts that were recognised, never copied. Linear in the text's length.
 * Throws UnrecoverableError `invalid_link`, `not_a_post` (with `details.page`) or `unsupported`, and nothing else.
 */
export function parseLink(text: string): ParsedLink {
  const visible = toVisibleText(text);
  if (AwemeId.safeParse(visible).success) return toPostLink(visible, "@", "video");
  const link = findRawLink(visible);
  if (link === null) {
    throw new UnrecoverableError(
      "invalid_link",
      "no TikTok link found; give the link of a post, its id of 15 to 20 digits, or share text",
    );
  }
  const host = checkHost(link.authority);
  if (DOUYIN_HOSTS.has(host)) {
    throw new UnrecoverableError("unsupported", "Douyin links are not supported, only TikTok's");
  }
  if (link.path.includes("\\")) {
    throw new UnrecoverableError("invalid_link", "the link holds a backslash");
  }
  return parsePath(host, link);
}

/** The raw authority must be one of our hosts, letter by letter: no decoding, so no look-alike decodes to it. */
function checkHost(authority: string): string {
  // Not toLowerCase, which turns U+212A into a plain k.
  const host = authority.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (isLinkHost(host)) return host;
  throw new UnrecoverableError("invalid_link", explainHost(host));
}

function explainHost(host: string): string {
  if (host === "") return "the link has no host";
  if (host.includes("@")) return "links with user info (name@host) are not accepted";
  if (/^\[|^\d+(\.\d+){0,3}(:|$)|^0x/u.test(host)) return "links to an IP address are not accepted";
  if (host.includes(":")) return "links with a port are not accepted";
  if (host.endsWith(".")) return "the link's host ends in a dot";
  // Printed only when it cannot hide anything from the reader.
  if (/^[a-z0-9.-]{1,80}$/u.test(host)) return `${host} is not a TikTok host`;
  return "the link's host is not TikTok's, though it may look like it";
}

function parsePath(host: string, link: RawLink): ParsedLink {
  const segments = toSegments(host, link.path);
  const named = findPost(segments);
  if (named !== null) return named;
  const code = findCode(host, segments);
  if (code !== null) return code;
  const shared = new URLSearchParams(link.query).get("share_item_id");
  if (shared !== null && AwemeId.safeParse(shared).success) return toPostLink(shared, "@", "video");
  throw toPageError(toPage(segments));
}

function toSegments(host: string, path: string): string[] {
  const segments = path.split("/").filter((segment) => segment !== "");
  // A locale such as /en/ or /en-US/; no route of TikTok has a name of two letters, but a short code may.
  const isLocale = /^[a-z]{2}(-[a-z]{2,4})?$/i.test(segments[0] ?? "");
  if (isLocale && !SHORT_HOSTS.has(host)) segments.shift();
  return segments;
}

/** The routes that a post's id follows, after an optional creator. */
const POST_ROUTE =
  /^(?:(?<handle>(?:@|%40)[^/]*)\/)?(?:(?<form>video|photo)|v|embed|embed\/v2|player\/v1|(?:i18n\/)?share\/(?<shared>video|photo))$/i;

function findPost(segments: readonly string[]): ParsedLink | null {
  for (let length = 1; length <= 3 && length < segments.length; length++) {
    const route = POST_ROUTE.exec(segments.slice(0, length).join("/"));
    // `embed` is the start of `embed/v2` as well: an id decides.
    if (route === null || segments[length] === "v2") continue;
    const { handle = "@", form, shared } = route.groups ?? {};
    return toPostLink(readId(segments[length] ?? ""), handle, form ?? shared ?? "video");
  }
  return null;
}

/** Digits up to the end, or up to a character that no link has, such as the rest of a sentence without spaces. */
function readId(segment: string): AwemeId {
  const id = /^([0-9]{15,20})(?:\.html)?(?=$|[\u0080-\uffff])/i.exec(segment)?.[1];
  if (id === undefined) {
    throw new UnrecoverableError("invalid_link", "the id in the link is not 15 to 20 digits");
  }
  return id;
}

function toPostLink(awemeId: AwemeId, rawHandle: string, form: string): ParsedLink {
  const handle = rawHandle.replace(/^%40/u, "@");
  // The id alone finds the post, so a handle of any other shape is left out and not repaired.
  const safe = /^@[\w.-]{1,64}$/u.test(handle) ? handle : "@";
  const kind = form.toLowerCase();
  return { kind: "post", awemeId, url: `https://www.tiktok.com/${safe}/${kind}/${awemeId}` };
}

function findCode(host: string, segments: readonly string[]): ParsedLink | null {
  const isShortHost = SHORT_HOSTS.has(host);
  const [first = "", second = ""] = segments;
  if (!isShortHost && !(PAGE_HOSTS.has(host) && first === "t" && second !== "")) return null;
  const segment = isShortHost ? first : second;
  if (isShortHost && segment === "") throw toPageError("home");
  const code = /^[\w-]{1,40}(?=$|[\u0080-\uffff])/u.exec(segment)?.[0];
  if (code === undefined) {
    throw new UnrecoverableError("invalid_link", "the code of the short link is malformed");
  }
  const url = isShortHost ? `https://${host}/${code}/` : `https://www.tiktok.com/t/${code}/`;
  return { kind: "short", url };
}

const PAGES: ReadonlyMap<string, OtherPage> = new Map([
  ["tag", "tag"],
  ["music", "sound"],
  ["collection", "collection"],
  ["playlist", "collection"],
  ["live", "live"],
  ["discover", "search"],
  ["search", "search"],
  ["channel", "search"],
  ["topics", "search"],
  ["foryou", "home"],
  ["following", "home"],
  ["explore", "home"],
]);

function toPage([first, second]: readonly string[]): OtherPage {
  if (first === undefined) return "home";
  if (/^(@|%40)/u.test(first)) {
    return PAGES.get(second?.toLowerCase() ?? "") ?? "profile";
  }
  return PAGES.get(first.toLowerCase()) ?? "other";
}

const PAGE_NAMES: Readonly<Record<OtherPage, string>> = {
  home: "TikTok's home page",
  profile: "a profile",
  tag: "a tag page",
  sound: "a sound's page",
  collection: "a collection",
  live: "a live broadcast",
  search: "a search page",
  other: "a TikTok page without a post",
};

function toPageError(page: OtherPage): UnrecoverableError {
  return new UnrecoverableError(
    "not_a_post",
    `the link leads to ${PAGE_NAMES[page]}; give the link of one post (…/@name/video/…)`,
    { details: { page } },
  );
}
