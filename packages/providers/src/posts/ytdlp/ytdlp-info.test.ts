import { describe, expect, test } from "vitest";
import { toYtDlpPost, YtDlpInfo } from "./ytdlp-info.ts";

const ID = "7345678901234567890";
const format = (more: Record<string, unknown>) => ({
  ext: "mp4",
  vcodec: "h264",
  acodec: "aac",
  height: 1_024,
  ...more,
});
const info = {
  id: ID,
  title: "Coffee tip #cof...",
  description: "Coffee tip #coffee",
  timestamp: 1_710_000_000,
  uploader: "ada.l_1",
  uploader_id: "1",
  channel: "Ada",
  channel_id: "MS4w",
  view_count: 1_200,
  like_count: 34,
  comment_count: null,
  repost_count: 5,
  track: "original sound",
  artists: ["ada", "bob"],
  duration: 8,
  thumbnail: "https://p16.tiktokcdn.com/c.jpg",
  formats: [
    format({ format_id: "download", format_note: "watermarked", url: "https://v16.tiktok.com/wm" }),
    format({ format_id: "bytevc1_1080p", vcodec: "h265", url: "https://v16.tiktok.com/h265" }),
    format({ format_id: "bytevc2_720p", vcodec: "bytevc2", url: "https://v16.tiktok.com/h266" }),
    format({
      format_id: "h264_540p",
      url: "https://v16.tiktok.com/h264",
      cookies: 'tt_chain_token="abc=="; Domain=.tiktok.com; Path=/; Secure; Expires=1793456000',
    }),
  ],
  subtitles: {
    "eng-US": [
      { ext: "json", url: "https://v16.tiktok.com/c.json" },
      { ext: "vtt", url: "https://v16.tiktok.com/c.vtt" },
    ],
    "deu-DE": [{ ext: "srt", data: "1\n00:00:00,000 --> 00:00:01,000\nHallo" }],
    "fra-FR": [{ ext: "json", url: "https://v16.tiktok.com/f.json" }],
  },
};
const map = (more: Record<string, unknown> = {}) =>
  toYtDlpPost(YtDlpInfo.parse({ ...info, ...more }), { requestedId: ID, source: "ytdlp" });

describe("what yt-dlp prints", () => {
  test("becomes a post with the whole caption as its title", () => {
    const { post, engagement } = map();
    expect(post).toEqual({
      postId: ID,
      url: `https://www.tiktok.com/@ada.l_1/video/${ID}`,
      title: "Coffee tip #coffee",
      author: { uniqueId: "ada.l_1", nickname: "Ada", followerCount: null },
      music: { id: null, title: "original sound", author: "ada, bob", original: null },
      region: null,
      durationMs: 8_000,
      postedAt: "2024-03-09T16:00:00.000Z",
      source: "ytdlp",
    });
    expect(engagement).toEqual({ plays: 1_200, likes: 34, comments: null, shares: 5 });
  });

  test("offers H.264 before H.265, and neither watermarked nor unplayable links", () => {
    expect(map().media).toEqual({
      kind: "video",
      renditions: ["https://v16.tiktok.com/h264", "https://v16.tiktok.com/h265"],
      coverUrl: info.thumbnail,
      cookie: 'tt_chain_token="abc=="',
    });
  });

  test.each([
    ["upright", { width: 576, height: 1_024 }, { width: 1_080, height: 1_920 }],
    ["lying", { width: 1_024, height: 576 }, { width: 1_920, height: 1_080 }],
  ])("offers the smallest legible picture first, %s", (_what, small, large) => {
    const formats = [
      format({ url: "https://v16.tiktok.com/large", ...large }),
      format({ url: "https://v16.tiktok.com/tiny", width: 144, height: 256 }),
      format({ url: "https://v16.tiktok.com/small", ...small }),
    ];
    expect(map({ formats }).media).toMatchObject({
      renditions: ["small", "tiny", "large"].map((name) => `https://v16.tiktok.com/${name}`),
    });
  });

  test("of a release of 2023 is read as well", () => {
    const old = { channel: undefined, creator: "Ada", artists: undefined, artist: "ada" };
    const { post } = map({ ...old, cookies: undefined });
    expect(post.author.nickname).toBe("Ada");
    expect(post.music).toMatchObject({ author: "ada" });
  });

  test("brings captions by language, as text or link, in a format that we read", () => {
    expect(map().captions).toEqual([
      {
        language: "en",
        format: "vtt",
        content: { url: "https://v16.tiktok.com/c.vtt" },
        origin: null,
      },
      {
        language: "de",
        format: "srt",
        content: { text: "1\n00:00:00,000 --> 00:00:01,000\nHallo" },
        origin: null,
      },
    ]);
    expect(map({ subtitles: null }).captions).toEqual([]);
  });

  test("of a slideshow, whose formats are sound alone, is unsupported", () => {
    const formats = [format({ url: "https://sf16.tiktokcdn.com/a.m4a", vcodec: "none" })];
    expect(() => map({ formats })).toThrow(
      expect.objectContaining({ name: "UnrecoverableError", code: "unsupported" }),
    );
  });

  test("without a link, or about another post, makes no sense", () => {
    expect(() => map({ formats: [] })).toThrow(expect.objectContaining({ code: "bad_response" }));
    expect(() => map({ id: "7345678901234567891" })).toThrow(
      expect.objectContaining({ code: "bad_response" }),
    );
  });

  test("may hold any nonsense beside the id and one format", () => {
    const names = Object.keys(info).filter((name) => name !== "id" && name !== "formats");
    for (const junk of [null, {}, [], true, -1, "x", [null], [[{}]], { "??": [null] }]) {
      const fetched = map(Object.fromEntries(names.map((name) => [name, junk])));
      expect(fetched.media).toMatchObject({ kind: "video" });
    }
  });

  test("passes no cookie on that could break a header", () => {
    const formats = [
      format({ url: "https://v16.tiktok.com/h264", cookies: "a=b\r\nx: y; Path=/" }),
    ];
    expect(map({ formats }).media).not.toHaveProperty("cookie");
  });
});
