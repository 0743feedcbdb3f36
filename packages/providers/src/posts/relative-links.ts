import { isIP } from "node:net";

/** The fields of a detail that hold links to media. */
const LINK_FIELDS = ["play", "hdplay", "music", "cover", "origin_cover", "images"];
/** `images` may be a list of objects with lists. */
const DEPTH_MAX = 4;

/**
 * A detail whose media links are whole: those without a host or protocol get the API's own, and plain http becomes https, which
 * TikTok's CDN speaks everywhere. Anything else stays as it is.
 */
export function withWholeLinks(detail: unknown, baseUrl: string): unknown {
  if (typeof detail !== "object" || detail === null) return detail;
  const links = Object.entries(detail)
    .filter(([name]) => LINK_FIELDS.includes(name))
    .map(([name, value]) => [name, mapLinks(value, baseUrl, 0)]);
  return { ...detail, ...Object.fromEntries(links) };
}

function mapLinks(value: unknown, baseUrl: string, depth: number): unknown {
  if (typeof value === "string") return toWholeLink(value.trim(), baseUrl);
  if (typeof value !== "object" || value === null || depth === DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((each) => mapLinks(each, baseUrl, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, mapLinks(each, baseUrl, depth + 1)]),
  );
}

function toWholeLink(link: string, baseUrl: string): string {
  // `//host/path` has a host, `/path` has none.
  if (/^\/{1,2}[\w[-]/.test(link)) {
    return URL.canParse(link, baseUrl) ? new URL(link, baseUrl).href : link;
  }
  if (!/^http:\/\//i.test(link) || !URL.canParse(link)) return link;
  const { host, hostname } = new URL(link);
  const isLocal = hostname === "localhost" || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
  return isLocal || host === new URL(baseUrl).host ? link : link.replace(/^http:/i, "https:");
}
