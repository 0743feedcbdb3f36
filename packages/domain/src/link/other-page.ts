import { UnrecoverableError } from "../errors/errors.ts";

/** A page of TikTok that is no post; `details.page` of a `not_a_post` error. */
export type OtherPage =
  | "home"
  | "profile"
  | "tag"
  | "sound"
  | "collection"
  | "live"
  | "search"
  /** What is shown in place of any page: a login, a captcha, "not available in your region", "open the app". */
  | "wall"
  | "other";

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
  ["login", "wall"],
  ["signup", "wall"],
  ["captcha", "wall"],
  ["notfound", "wall"],
]);

/** By the path's segments, without a locale. `/in/about` is where TikTok sends visitors from India. */
export function toOtherPage(
  [first, second]: readonly string[],
  { hasLocale }: { hasLocale: boolean },
): OtherPage {
  if (first === undefined) return "home";
  if (/^(@|%40)/u.test(first)) {
    return PAGES.get(second?.toLowerCase() ?? "") ?? "profile";
  }
  const name = first.toLowerCase();
  if (hasLocale && name === "about" && second === undefined) return "wall";
  return PAGES.get(name) ?? "other";
}

const PAGE_NAMES: Readonly<Record<OtherPage, string>> = {
  home: "TikTok's home page",
  profile: "a profile",
  tag: "a tag page",
  sound: "a sound's page",
  collection: "a collection",
  live: "a live broadcast",
  search: "a search page",
  wall: "a page that TikTok shows in place of a post (login, captcha, region or app)",
  other: "a TikTok page without a post",
};

export function toPageError(page: OtherPage): UnrecoverableError {
  return new UnrecoverableError(
    "not_a_post",
    `the link leads to ${PAGE_NAMES[page]}; give the link of one post (…/@name/video/…)`,
    { details: { page } },
  );
}
