import { describe, expect, test } from "vitest";
import { UnrecoverableError } from "../errors/errors.ts";
import { parseLink } from "./link.ts";

const ID = "7345678901234567890";
const VIDEO = `https://www.tiktok.com/@/video/${ID}`;
const BY_ADA = `https://www.tiktok.com/@ada.l_1/video/${ID}`;

const posts: [text: string, url: string][] = [
  // Other hosts of the same pages.
  [`https://lite.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://mobile.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://us.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://uk.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktokv.us/share/video/${ID}/`, VIDEO],
  // Other routes to a post.
  [`https://www.tiktok.com/@ada.l_1/story/${ID}?_r=1`, BY_ADA],
  [`https://www.tiktok.com/aweme/detail/${ID}?x=1`, VIDEO],
  [`https://m.tiktok.com/h5/share/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/embed/v3/${ID}`, VIDEO],
  [`snssdk1233://aweme/detail/${ID}?refer=web`, VIDEO],
  [`SNSSDK1180://aweme/detail/${ID}`, VIDEO],
  [`musically://aweme/detail/${ID}`, VIDEO],
  // A post that stands in a parameter.
  [`https://www.tiktok.com/foryou?is_copy_url=1&is_from_webapp=v1&item_id=${ID}`, VIDEO],
  [`https://www.tiktok.com/foryou?item_id=${ID}#/@ada/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/following?aweme_id=${ID}`, VIDEO],
  [`https://www.tiktok.com/?_r=1&item_id=${ID}`, VIDEO],
  [
    `https://www.tiktok.com/login?lang=en&redirect_url=${encodeURIComponent(`${BY_ADA}?_r=1`)}&enter_method=mandatory`,
    BY_ADA,
  ],
  [
    `https://www.tiktok.com/login/phone-or-email?redirect_url=${encodeURIComponent(BY_ADA.slice(22))}`,
    BY_ADA,
  ],
  [
    `https://www.tiktok.com/login?redirect_url=${encodeURIComponent(
      `https://www.tiktok.com/foryou?redirect_url=${encodeURIComponent(BY_ADA)}`,
    )}`,
    BY_ADA,
  ],
  [`https://www.tiktok.com/oembed?url=${BY_ADA}`, BY_ADA],
  [
    `https://snssdk1180.onelink.me/BAuo?af_dp=${encodeURIComponent(`snssdk1180://aweme/detail/${ID}`)}`,
    VIDEO,
  ],
  // Escaped as a whole, or where it need not be.
  [encodeURIComponent(BY_ADA), BY_ADA],
  [encodeURIComponent(encodeURIComponent(BY_ADA)), BY_ADA],
  [`https://www.tiktok.com/%40ada.l_1%2Fvideo%2F${ID}`, BY_ADA],
  [`${BY_ADA}%3Fis_copy_url%3D1`, BY_ADA],
  [`${BY_ADA}&is_copy_url=1`, BY_ADA],
  // What stands behind it in tables and sentences.
  [`${BY_ADA};x`, BY_ADA],
  [`${BY_ADA},x`, BY_ADA],
  [`${BY_ADA}!!!`, BY_ADA],
  [`${BY_ADA}"`, BY_ADA],
];

const shorts: [text: string, url: string][] = [
  ["https://lite.tiktok.com/t/ZSabc123/", "https://lite.tiktok.com/t/ZSabc123/"],
  ["https://www.lite.tiktok.com/t/ZSabc123-x", "https://lite.tiktok.com/t/ZSabc123-x/"],
  ["https://us.tiktok.com/t/ZTRabc", "https://www.tiktok.com/t/ZTRabc/"],
  ["https://vm.tiktok.com/ZMabc;x", "https://vm.tiktok.com/ZMabc/"],
  [
    "https://www.tiktok.com/login?redirect_url=https%3A%2F%2Fvm.tiktok.com%2FZMabc%2F",
    "https://vm.tiktok.com/ZMabc/",
  ],
];

const refused: [text: string, code: string, words: RegExp][] = [
  ["https://www.tiktok.com/login", "not_a_post", /in place of a post/],
  ["https://www.tiktok.com/hk/notfound", "not_a_post", /in place of a post/],
  ["https://www.tiktok.com/in/about", "not_a_post", /in place of a post/],
  ["https://www.tiktok.com/captcha?x", "not_a_post", /in place of a post/],
  ["https://www.tiktok.com/tiktoklite", "not_a_post", /page without a post/],
  ["https://snssdk1180.onelink.me/BAuo?af_dp=x", "not_a_post", /in place of a post/],
  ["snssdk1233://user/profile/1", "not_a_post", /page without a post/],
  ["https://m.tiktok.com/h5/share/usr/7.html", "not_a_post", /page without a post/],
  [
    `https://www.tiktok.com/login?redirect_url=${encodeURIComponent("https://www.tiktok.com/@ada")}`,
    "not_a_post",
    /in place of a post/,
  ],
  [
    `https://www.tiktok.com/login?redirect_url=${encodeURIComponent(`https://evil.io/@a/video/${ID}`)}`,
    "not_a_post",
    /in place of a post/,
  ],
  // Wrapped more often than anybody does.
  [
    ["next", "next", "next", "next"].reduce(
      (link, name) => `https://www.tiktok.com/login?${name}=${encodeURIComponent(link)}`,
      BY_ADA,
    ),
    "not_a_post",
    /in place of a post/,
  ],
  ["https%3A%2F%2Fwww.tiktok.com%2F%zz", "invalid_link", /escapes are malformed/],
  [`https%3A%2F%2Fevil.io%2F@a%2Fvideo%2F${ID}`, "invalid_link", /evil\.io is not/],
  [`https%3A%2F%2Fwww.tiktok.com%00%2F@a%2Fvideo%2F${ID}`, "invalid_link", /control characters/],
  [`snssdk1128://aweme/detail/${ID}`, "unsupported", /Douyin/],
];

describe("links in forms that are not the page's own", () => {
  test.each(posts)("reads the post in %j", (text, url) => {
    expect(parseLink(text)).toEqual({ kind: "post", awemeId: ID, url });
  });

  test.each(shorts)("recognises the short link in %j", (text, url) => {
    expect(parseLink(text)).toEqual({ kind: "short", url });
    expect(parseLink(url)).toEqual({ kind: "short", url });
  });

  test.each(refused)("refuses %j as %s", (text, code, words) => {
    const error = catchError(() => parseLink(text));
    expect(error).toBeInstanceOf(UnrecoverableError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) });
  });
});

function catchError(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
