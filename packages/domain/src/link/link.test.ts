import { describe, expect, test } from "vitest";
import { type ClipmillError, UnrecoverableError } from "../errors/errors.ts";
import { parseLink } from "./link.ts";
import type { ParsedLink } from "./parsed-link.ts";

const ID = "7345678901234567890";
const VIDEO = `https://www.tiktok.com/@/video/${ID}`;
const BY_ADA = `https://www.tiktok.com/@ada.l_1/video/${ID}`;
const ADA_PHOTO = `https://www.tiktok.com/@ada.l_1/photo/${ID}`;

const posts: [text: string, url: string][] = [
  [ID, VIDEO],
  [`  ${ID}\n`, VIDEO],
  [`\u200e${ID}\u200b`, VIDEO],
  ["123456789012345", "https://www.tiktok.com/@/video/123456789012345"],
  ["12345678901234567890", "https://www.tiktok.com/@/video/12345678901234567890"],
  [`https://www.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktok.com/@ada.l_1/video/${ID}/`, BY_ADA],
  [`https://www.tiktok.com/@ada.l_1/video/${ID}?is_from_webapp=1&sender_device=pc`, BY_ADA],
  [`https://www.tiktok.com/@ada.l_1/video/${ID}#comments`, BY_ADA],
  [`https://www.tiktok.com/@ada.l_1/video/${ID}/extra`, BY_ADA],
  [`https://tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://m.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`http://www.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`HTTPS://WWW.TIKTOK.COM/@ada.l_1/VIDEO/${ID}`, BY_ADA],
  [`www.tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`tiktok.com/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktok.com/%40ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktok.com//@ada.l_1//video//${ID}`, BY_ADA],
  [`https://www.tiktok.com/en/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktok.com/en-US/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktok.com/zh-Hant/@ada.l_1/video/${ID}`, BY_ADA],
  [`https://www.tiktok.com/@/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/@名前/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/@%E5%90%8D/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/@a'b/video/${ID}`, VIDEO],
  [`https://www.tiktok.com/@ada.l_1/photo/${ID}`, ADA_PHOTO],
  [`https://www.tiktok.com/de/@ada.l_1/photo/${ID}?lang=de`, ADA_PHOTO],
  [`https://www.tiktok.com/photo/${ID}`, `https://www.tiktok.com/@/photo/${ID}`],
  [`https://m.tiktok.com/v/${ID}.html`, VIDEO],
  [`http://m.tiktok.com/v/${ID}.html?u_code=1`, VIDEO],
  [`https://m.tiktok.com/v/${ID}`, VIDEO],
  [`https://www.tiktok.com/embed/${ID}`, VIDEO],
  [`https://www.tiktok.com/embed/v2/${ID}?lang=en`, VIDEO],
  [`https://www.tiktok.com/player/v1/${ID}?autoplay=1`, VIDEO],
  [`https://www.tiktok.com/share/video/${ID}`, VIDEO],
  [`https://www.tiktokv.com/share/video/${ID}/`, VIDEO],
  [`https://t.tiktok.com/i18n/share/video/${ID}/?region=us`, VIDEO],
  [`https://www.tiktok.com/?share_item_id=${ID}`, VIDEO],
  [`https://www.tiktok.com/@ada.l_1?a=1&share_item_id=${ID}`, VIDEO],
  [`https://m.tiktok.com/h5/share/usr/1.html?share_item_id=${ID}`, VIDEO],
  [`Look at this! ${BY_ADA} #fyp`, BY_ADA],
  [`Look (${BY_ADA}).`, BY_ADA],
  [`[clip](${BY_ADA})`, BY_ADA],
  [`<a href="${BY_ADA}">clip</a>`, BY_ADA],
  [`Link:${BY_ADA}`, BY_ADA],
  [`${BY_ADA}, and more.`, BY_ADA],
  [`on tiktok.com: ${BY_ADA}`, BY_ADA],
  [`这个视频${BY_ADA}，很好看`, BY_ADA],
  [`見て！${BY_ADA}。すごい`, BY_ADA],
  [`Смотри ${BY_ADA}!`, BY_ADA],
  [`شاهد \u200f${BY_ADA}\u200f الآن`, BY_ADA],
  [`${BY_ADA}很好`, BY_ADA],
  [`first\n\n${BY_ADA}\nhttps://evil.io/`, BY_ADA],
];

const shorts: [text: string, url: string][] = [
  ["https://vm.tiktok.com/ZMabc123/", "https://vm.tiktok.com/ZMabc123/"],
  ["https://vm.tiktok.com/ZMabc123", "https://vm.tiktok.com/ZMabc123/"],
  ["http://vm.tiktok.com/ZMabc123?k=1", "https://vm.tiktok.com/ZMabc123/"],
  ["vm.tiktok.com/ZMabc123", "https://vm.tiktok.com/ZMabc123/"],
  ["VM.TikTok.com/ZMabc123", "https://vm.tiktok.com/ZMabc123/"],
  ["https://vt.tiktok.com/ZSxyz/", "https://vt.tiktok.com/ZSxyz/"],
  ["https://vm.tiktok.com/en", "https://vm.tiktok.com/en/"],
  ["https://www.tiktok.com/t/ZTRabc/", "https://www.tiktok.com/t/ZTRabc/"],
  ["https://tiktok.com/t/ZTRabc", "https://www.tiktok.com/t/ZTRabc/"],
  ["https://m.tiktok.com/t/ZTRabc?x", "https://www.tiktok.com/t/ZTRabc/"],
  ["Check this out! https://vm.tiktok.com/ZMabc123/ #fun", "https://vm.tiktok.com/ZMabc123/"],
  ["看看https://vm.tiktok.com/ZMabc123/，复制打开", "https://vm.tiktok.com/ZMabc123/"],
  ["看看https://vm.tiktok.com/ZMabc123复制打开", "https://vm.tiktok.com/ZMabc123/"],
  ["“https://vm.tiktok.com/ZMabc123”", "https://vm.tiktok.com/ZMabc123/"],
];

const refused: [text: string, code: string, words: RegExp][] = [
  ["", "invalid_link", /no TikTok link/],
  ["   ", "invalid_link", /no TikTok link/],
  ["hello", "invalid_link", /no TikTok link/],
  ["tiktok.com", "invalid_link", /no TikTok link/],
  ["12345678901234", "invalid_link", /no TikTok link/],
  ["123456789012345678901", "invalid_link", /no TikTok link/],
  [`-${ID}`, "invalid_link", /no TikTok link/],
  ["７３４５６７８９０１２３４５６７８９０", "invalid_link", /no TikTok link/],
  [`${ID} ${ID}`, "invalid_link", /no TikTok link/],
  [`x${" ".repeat(10_000)}x`, "invalid_link", /10002 characters/],
  [`${BY_ADA}\u0000`, "invalid_link", /control characters/],
  [`https://www.tiktok.com/\u001b[2J/video/${ID}`, "invalid_link", /control characters/],
  [`https://www.tiktok.com/@a/video/123`, "invalid_link", /15 to 20 digits/],
  [`https://www.tiktok.com/@a/video/${ID}00`, "invalid_link", /15 to 20 digits/],
  [`https://www.tiktok.com/@a/video/${ID}abc`, "invalid_link", /15 to 20 digits/],
  [`https://www.tiktok.com/@a/video/v12044gd0000abc`, "invalid_link", /15 to 20 digits/],
  [`https://www.tiktok.com/@a/video/..%2f${ID}`, "invalid_link", /15 to 20 digits/],
  ["https://vm.tiktok.com/a%2fb", "invalid_link", /code of the short link/],
  ["https://www.tiktok.com/t/a%00", "invalid_link", /code of the short link/],
  // Other pages.
  ["https://www.tiktok.com/", "not_a_post", /home page/],
  ["https://www.tiktok.com", "not_a_post", /home page/],
  ["https://www.tiktok.com/en/", "not_a_post", /home page/],
  ["https://www.tiktok.com/foryou", "not_a_post", /home page/],
  ["https://vm.tiktok.com/", "not_a_post", /home page/],
  ["https://www.tiktok.com/@ada.l_1", "not_a_post", /a profile/],
  ["https://www.tiktok.com/@ada.l_1?lang=en", "not_a_post", /a profile/],
  ["www.tiktok.com/%40ada.l_1", "not_a_post", /a profile/],
  ["https://www.tiktok.com/@ada.l_1/live", "not_a_post", /a live broadcast/],
  ["https://www.tiktok.com/live", "not_a_post", /a live broadcast/],
  ["https://www.tiktok.com/tag/coffee", "not_a_post", /a tag page/],
  [`https://www.tiktok.com/music/original-sound-${ID}`, "not_a_post", /a sound's page/],
  [`https://www.tiktok.com/@ada/collection/Best-${ID}`, "not_a_post", /a collection/],
  [`https://www.tiktok.com/@ada/playlist/Best-${ID}`, "not_a_post", /a collection/],
  ["https://www.tiktok.com/discover/coffee", "not_a_post", /a search page/],
  ["https://www.tiktok.com/search?q=coffee", "not_a_post", /a search page/],
  ["https://www.tiktok.com/channel/sports", "not_a_post", /a search page/],
  ["https://www.tiktok.com/about", "not_a_post", /page without a post/],
  ["https://www.tiktok.com/constructor", "not_a_post", /page without a post/],
  ["https://www.tiktok.com/?share_item_id=12", "not_a_post", /home page/],
  [`https://www.tiktok.com/x?y=/@a/video/${ID}`, "not_a_post", /page without a post/],
  // Douyin.
  [`https://www.douyin.com/video/${ID}`, "unsupported", /Douyin/],
  [`https://www.douyin.com/note/${ID}`, "unsupported", /Douyin/],
  [`https://www.douyin.com/discover?modal_id=${ID}`, "unsupported", /Douyin/],
  ["7.43 复制打开抖音 https://v.douyin.com/iRabc/ 看看", "unsupported", /Douyin/],
  [`https://www.iesdouyin.com/share/video/${ID}`, "unsupported", /Douyin/],
  // Other hosts, and hosts that try to look like ours.
  ["https://www.youtube.com/watch?v=1", "invalid_link", /www\.youtube\.com is not a TikTok host/],
  [`https://tiktok.com.evil.io/@a/video/${ID}`, "invalid_link", /tiktok\.com\.evil\.io is not/],
  [`https://eviltiktok.com/@a/video/${ID}`, "invalid_link", /eviltiktok\.com is not/],
  [`https://tiktok.co/@a/video/${ID}`, "invalid_link", /is not a TikTok host/],
  [`https://evil.tiktok.com/@a/video/${ID}`, "invalid_link", /not a TikTok host that names posts/],
  [`https://shop.tiktok.com/view/product/1`, "invalid_link", /not a TikTok host that names posts/],
  [`https://tiktok-com.evil.io/@a/video/${ID}`, "invalid_link", /is not a TikTok host/],
  [`https://evil.io/www.tiktok.com/@a/video/${ID}`, "invalid_link", /evil\.io is not/],
  [`https://evil.io/?u=${BY_ADA}`, "invalid_link", /evil\.io is not/],
  [`https://evil.io#${BY_ADA}`, "invalid_link", /evil\.io is not/],
  [`evil.io#${BY_ADA}`, "invalid_link", /part of another address/],
  [`evil.io?u=${BY_ADA}`, "invalid_link", /part of another address/],
  [`evil.io/${BY_ADA}`, "invalid_link", /part of another address/],
  [`see${BY_ADA}`, "invalid_link", /part of another address/],
  [`evil.io/www.tiktok.com/@a/video/${ID}`, "invalid_link", /no TikTok link/],
  [`https://evil.io ${BY_ADA}`, "invalid_link", /evil\.io is not/],
  [`https://www.tiktok.com@evil.io/@a/video/${ID}`, "invalid_link", /user info/],
  [`www.tiktok.com@evil.io/@a/video/${ID}`, "invalid_link", /user info/],
  [`https://a:b@www.tiktok.com/@a/video/${ID}`, "invalid_link", /user info/],
  [`https://@www.tiktok.com/@a/video/${ID}`, "invalid_link", /user info/],
  [`https://tiktok.com@169.254.169.254/`, "invalid_link", /user info/],
  [`https://www.tiktok.com:443/@a/video/${ID}`, "invalid_link", /a port/],
  [`www.tiktok.com:8080/@a/video/${ID}`, "invalid_link", /a port/],
  [`https://www.tiktok.com:/@a/video/${ID}`, "invalid_link", /a port/],
  [`https://www.tiktok.com./@a/video/${ID}`, "invalid_link", /ends in a dot/],
  [`https://www..tiktok.com/@a/video/${ID}`, "invalid_link", /is not a TikTok host/],
  [`https://.tiktok.com/@a/video/${ID}`, "invalid_link", /is not a TikTok host/],
  [`https://127.0.0.1/@a/video/${ID}`, "invalid_link", /IP address/],
  [`https://2130706433/@a/video/${ID}`, "invalid_link", /IP address/],
  [`https://0x7f.1/@a/video/${ID}`, "invalid_link", /IP address/],
  [`https://[::1]/@a/video/${ID}`, "invalid_link", /IP address/],
  [`https://[::ffff:169.254.169.254]/`, "invalid_link", /IP address/],
  [`https://www.tiktok.com\\@evil.io/@a/video/${ID}`, "invalid_link", /backslash/],
  [`https://www.tiktok.com\\@a\\video\\${ID}`, "invalid_link", /backslash/],
  [`https://evil.io\\www.tiktok.com/@a/video/${ID}`, "invalid_link", /evil\.io is not/],
  [`https:\\\\www.tiktok.com\\@a\\video\\${ID}`, "invalid_link", /no TikTok link/],
  [`https:/www.tiktok.com/@a/video/${ID}`, "invalid_link", /no TikTok link/],
  [`//www.tiktok.com/@a/video/${ID}`, "invalid_link", /no TikTok link/],
  [`https:///www.tiktok.com/@a/video/${ID}`, "invalid_link", /no host/],
  [`https://www%2etiktok.com/@a/video/${ID}`, "invalid_link", /may look like it/],
  [`https://www.tiktok.com%2f@evil.io/`, "invalid_link", /user info/],
  [`https://www.t\u0456ktok.com/@a/video/${ID}`, "invalid_link", /may look like it/],
  [`https://www.ti\u212atok.com/@a/video/${ID}`, "invalid_link", /may look like it/],
  [`www.ti\u212atok.com/@a/video/${ID}`, "invalid_link", /no TikTok link/],
  [`http\u017f://www.tiktok.com/@a/video/${ID}`, "invalid_link", /only http and https/],
  [`https://www.tiktok\uff0ecom/@a/video/${ID}`, "invalid_link", /may look like it/],
  [`https://www.tiktok\u3002com/@a/video/${ID}`, "invalid_link", /www\.tiktok is not/],
  [`https://xn--tktok-q4a.com/@a/video/${ID}`, "invalid_link", /is not a TikTok host/],
  [`https://www.tiktok.com\t.evil.io/@a/video/${ID}`, "not_a_post", /home page/],
  [`https://www.tiktok.com\u200b.evil.io/@a/video/${ID}`, "not_a_post", /home page/],
  [`https://evil.io\u200bwww.tiktok.com/@a/video/${ID}`, "invalid_link", /evil\.io is not/],
  [`file:///@a/video/${ID}`, "invalid_link", /only http and https/],
  [`ftp://www.tiktok.com/@a/video/${ID}`, "invalid_link", /only http and https/],
  [`javascript://www.tiktok.com/@a/video/${ID}`, "invalid_link", /only http and https/],
  ["tiktok://www.tiktok.com/", "invalid_link", /only http and https/],
];

function parseOrCode(text: string): ParsedLink | { code: string; message: string } {
  try {
    return parseLink(text);
  } catch (error) {
    if (!(error instanceof UnrecoverableError)) throw error;
    return { code: error.code, message: error.message };
  }
}

describe("parseLink", () => {
  test("the table has at least 120 inputs", () => {
    expect(posts.length + shorts.length + refused.length).toBeGreaterThanOrEqual(120);
  });

  test.each(posts)("reads the post in %j", (text, url) => {
    const awemeId = /\d{15,20}/.exec(url)?.[0];
    expect(parseOrCode(text)).toEqual({ kind: "post", awemeId, url });
  });

  test.each(shorts)("recognises the short link in %j", (text, url) => {
    expect(parseOrCode(text)).toEqual({ kind: "short", url });
  });

  test.each(refused)("refuses %j as %s", (text, code, words) => {
    expect(parseOrCode(text)).toEqual({ code, message: expect.stringMatching(words) });
  });

  test("names the kind of page in the details of not_a_post", () => {
    const pageOf = (text: string) => {
      try {
        return parseLink(text);
      } catch (error) {
        return (error as ClipmillError).details["page"];
      }
    };
    expect(pageOf("https://www.tiktok.com/")).toBe("home");
    expect(pageOf("https://www.tiktok.com/@ada")).toBe("profile");
  });

  test("parses its own canonical links to themselves", () => {
    for (const [, url] of [...posts, ...shorts]) expect(parseLink(url).url).toBe(url);
  });
});
