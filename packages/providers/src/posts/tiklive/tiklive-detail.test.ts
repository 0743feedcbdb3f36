import { describe, expect, test } from "vitest";
import { parseExactJson } from "../../http/exact-json.ts";
import { TikLiveDetail, toFetchedPost } from "./tiklive-detail.ts";

const ID = "7345678901234567890";
const detail = {
  aweme_id: "v12044gd0000abc",
  id: ID,
  region: "us",
  title: " Coffee tip\u0000 ",
  cover: "https://p16.tiktokcdn.com/c.jpg",
  origin_cover: "https://p16.tiktokcdn.com/o.jpg",
  duration: 8,
  play: "https://v16.tiktokcdn.com/play",
  wmplay: "https://v16.tiktokcdn.com/wm",
  hdplay: "https://v16.tiktokcdn.com/hd",
  music: "https://sf16.tiktokcdn.com/m",
  music_info: {
    id: "70",
    title: "original sound",
    author: "ada",
    original: true,
    duration: 8,
    album: null,
  },
  play_count: 1200,
  digg_count: "34",
  comment_count: null,
  share_count: "1.2K",
  create_time: 1_710_000_000,
  author: { id: "1", unique_id: "ada.l_1", nickname: "Ada", avatar: null },
  images: null,
};
const map = (payload: unknown, requestedId = ID) =>
  toFetchedPost(TikLiveDetail.parse(payload), { requestedId, source: "tiklive" });
const mapText = (text: string, requestedId = ID) => map(parseExactJson(text), requestedId);

describe("a TikLive detail", () => {
  test("becomes a post, with counters in strings and nothing guessed", () => {
    expect(map(detail)).toEqual({
      post: {
        postId: ID,
        url: `https://www.tiktok.com/@ada.l_1/video/${ID}`,
        title: "Coffee tip",
        author: { uniqueId: "ada.l_1", nickname: "Ada", followerCount: null },
        music: { id: "70", title: "original sound", author: "ada", original: true },
        region: "US",
        durationMs: 8_000,
        postedAt: "2024-03-09T16:00:00.000Z",
        source: "tiklive",
      },
      engagement: { plays: 1_200, likes: 34, comments: null, shares: null },
      media: {
        kind: "video",
        renditions: [detail.play, detail.hdplay],
        coverUrl: detail.origin_cover,
      },
      captions: [],
    });
  });

  test("may be null in every field but the id and the link", () => {
    const nulls = Object.fromEntries(Object.keys(detail).map((key) => [key, null]));
    const fetched = map({ ...nulls, id: ID, play: detail.play });
    expect(fetched.post).toMatchObject({
      title: "",
      music: null,
      region: null,
      durationMs: 0,
      postedAt: null,
    });
    expect(fetched.post.url).toBe(`https://www.tiktok.com/@/video/${ID}`);
    expect(fetched.engagement).toEqual({ plays: null, likes: null, comments: null, shares: null });
  });

  test("may hold any nonsense in every field but the id and the link", () => {
    for (const junk of [{}, [], true, -1, "x", [null], { a: [] }, Number.NaN]) {
      const junks = Object.fromEntries(Object.keys(detail).map((key) => [key, junk]));
      const fetched = map({ ...junks, id: ID, play: detail.play, images: junk });
      expect(fetched.media).toMatchObject({ kind: "video", renditions: [detail.play] });
    }
  });

  test("gives its numeric id from whichever key holds it", () => {
    const { id: _id, ...rest } = detail;
    expect(map({ ...rest, video_id: ID }).post.postId).toBe(ID);
    expect(map({ ...rest, aweme_id: ID }).post.postId).toBe(ID);
  });

  test("keeps every digit of an id that came as a number", () => {
    const text = JSON.stringify(detail).replace(`"${ID}"`, ID);
    expect(text).toContain(`"id":${ID},`);
    expect(mapText(text).post.postId).toBe(ID);
    // A program that rounds numbers sends an id that belongs to no post, and that of this one after rounding.
    expect(map(JSON.parse(text)).post.postId).toBe(ID);
    expect(() => map(JSON.parse(text), "7345678901234999999")).toThrow("of another post");
  });

  test("is refused without a numeric id, or with that of another post", () => {
    const opaque = { ...detail, id: "v12044gd0000abc" };
    expect(() => map(opaque)).toThrow(expect.objectContaining({ code: "bad_response" }));
    expect(() => map(detail, "7345678901234567891")).toThrow(
      expect.objectContaining({ code: "bad_response", message: "the detail is of another post" }),
    );
    expect(() => map({})).toThrow("the detail holds no post id");
  });

  test("with images is a slideshow whose play link is the sound", () => {
    const images = [
      "https://p16.tiktokcdn.com/1.jpg",
      null,
      "ftp://x/2",
      "https://p16.tiktokcdn.com/2.jpg",
    ];
    const fetched = map({ ...detail, duration: 0, images });
    expect(fetched.media).toEqual({
      kind: "slideshow",
      imageUrls: [images[0], images[3]],
      audioUrl: detail.play,
    });
    expect(fetched.post).toMatchObject({
      durationMs: 0,
      url: `https://www.tiktok.com/@ada.l_1/photo/${ID}`,
    });
    const byHd = map({ ...detail, images, play: "" });
    expect(byHd.media).toMatchObject({ audioUrl: detail.hdplay });
    const byMusic = map({ ...detail, images, play: null, hdplay: null });
    expect(byMusic.media).toMatchObject({ audioUrl: detail.music });
    expect(map({ ...detail, images, play: null, hdplay: null, music: null }).media).toMatchObject({
      audioUrl: null,
    });
  });

  test("may name its pictures by objects and lists", () => {
    const link = (name: string) => `https://p16.tiktokcdn.com/${name}.jpg`;
    const images = [
      { url: link("1") },
      { url_list: [link("2"), link("3")] },
      { display_image: { url_list: [` ${link("4")}\n`] } },
      [link("5")],
      { url: { url: { url: { url: link("deep") } } } },
      7,
    ];
    expect(map({ ...detail, images }).media).toMatchObject({
      imageUrls: ["1", "2", "4", "5"].map(link),
    });
  });

  test.each<[what: string, fields: object, post: object]>([
    ["a length without end", { duration: 3e9 }, { durationMs: 0 }],
    ["a length in words", { duration: "long" }, { durationMs: 0 }],
    ["a length with a fraction", { duration: "7.5" }, { durationMs: 7_500 }],
    ["a date in ms", { create_time: 1_710_000_000_123 }, { postedAt: "2024-03-09T16:00:00.000Z" }],
    [
      "a date in words",
      { create_time: "2024-03-09T16:00:00Z" },
      { postedAt: "2024-03-09T16:00:00.000Z" },
    ],
    ["a date of the year 9999", { create_time: 253_370_764_800 }, { postedAt: null }],
    ["half a character", { title: `${"a".repeat(9_999)}🍅 \ud83c` }, { title: "a".repeat(9_999) }],
  ])("with %s is read all the same", (_what, fields, post) => {
    expect(map({ ...detail, ...fields }).post).toMatchObject(post);
  });

  test("never offers the watermarked rendition", () => {
    expect(() => map({ ...detail, play: null, hdplay: null })).toThrow("no media link");
    expect(JSON.stringify(map(detail))).not.toContain("wm");
  });

  test("offers equal renditions once", () => {
    expect(map({ ...detail, hdplay: detail.play }).media).toMatchObject({
      renditions: [detail.play],
    });
  });

  test("with a name that is no handle gets a page link without it", () => {
    const fetched = map({ ...detail, author: { unique_id: "../../evil" } });
    expect(fetched.post.url).toBe(`https://www.tiktok.com/@/video/${ID}`);
  });
});
