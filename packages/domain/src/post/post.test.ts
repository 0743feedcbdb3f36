import { expect, test } from "vitest";
import { toAttribution } from "./post.ts";

const url = "https://www.tiktok.com/@/video/7345678901234567890";
const credit = (uniqueId: string | null, nickname: string | null, page: string | null) =>
  toAttribution({ author: { uniqueId, nickname, followerCount: null }, url: page });

test.each<[what: string, credited: string, line: string]>([
  ["a post of TikTok", credit("ada", "Ada", url), `Video by @ada on TikTok (${url})`],
  [
    "a post whose creator has a nickname only",
    credit(null, "Ada", url),
    `Video by Ada on TikTok (${url})`,
  ],
  [
    "a post whose creator is not told",
    credit(null, null, url),
    `Video by an unknown creator on TikTok (${url})`,
  ],
  ["a file with a creator", credit("ada", null, null), "Video by @ada"],
  ["a file about which nothing is known", credit(null, null, null), "Local file, creator unknown"],
])("%s is credited", (_what, credited, line) => {
  expect(credited).toBe(line);
});
