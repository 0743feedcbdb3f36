import { type ParsedLink, parseLink } from "@clipmill/domain";
import type { SafeResponse } from "../http/safe-http.ts";

/** A page that only leads on is short; TikTok's own pages are half a megabyte, and say in their head what they are. */
const MAX_PAGE_BYTES = 64_000;

/** A script, a refresh or the page's own address. Every run is bounded, because the page is a stranger's. */
const LEADS_ON = new RegExp(
  [
    String.raw`location(?:\.href|\.replace)?\s{0,9}[=(]`,
    String.raw`rel=["']?canonical["']?\s{1,9}href=`,
    String.raw`property=["']og:url["']\s{1,9}content=`,
    String.raw`content=["']?\d{1,3};\s{0,9}url=`,
  ]
    .map((lead) => String.raw`${lead}\s{0,9}["']?(https?:\/\/[^"'\s<>]{1,500})`)
    .join("|"),
  "gi",
);

/** The post that a page leads on to instead of redirecting; null if it names none. Reads the start of it. */
export async function findPageRedirect({
  body,
  headers,
}: SafeResponse): Promise<ParsedLink | null> {
  if (!/\btext\/html\b/i.test(headers["content-type"] ?? "")) return null;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_PAGE_BYTES) break;
  }
  const html = Buffer.concat(chunks).subarray(0, MAX_PAGE_BYTES).toString("utf8");
  for (const match of html.matchAll(LEADS_ON)) {
    const link = match.slice(1).find((group) => group !== undefined);
    const post = link === undefined ? null : findPostLink(link);
    if (post !== null) return post;
  }
  return null;
}

function findPostLink(link: string): ParsedLink | null {
  try {
    const parsed = parseLink(link);
    return parsed.kind === "post" ? parsed : null;
  } catch {
    return null;
  }
}
