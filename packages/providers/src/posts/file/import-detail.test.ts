import { expect, test } from "vitest";
import { parseImportDetail, toBareImport, toImport } from "./import-detail.ts";

const sha256 = "a".repeat(64);
const parse = (detail: unknown) => {
  const text = typeof detail === "string" ? detail : JSON.stringify(detail);
  return toImport(parseImportDetail(Buffer.from(text), "clip.json"), sha256);
};

test("a simple detail names title, creator and music", () => {
  const { post, engagement, media } = parse({
    title: "My clip",
    author: "@ada",
    music: "Song",
    play_count: 7,
  });
  expect(post).toMatchObject({
    postId: `file-${sha256}`,
    url: null,
    title: "My clip",
    author: { uniqueId: "ada", nickname: null, followerCount: null },
    music: { id: null, title: "Song", author: "", original: null },
    source: "file",
  });
  expect(engagement.plays).toBe(7);
  expect(media).toEqual({ kind: "stored", sha256 });
});

test("music may be an object, and a link in its place is not a title", () => {
  expect(parse({ music: { title: "Song", author: "Bo" } }).post.music).toMatchObject({
    title: "Song",
    author: "Bo",
  });
  expect(parse({ music: "https://sf16.tiktokcdn.com/m" }).post.music).toBeNull();
  expect(parse({ music: "x", music_info: { title: "Song" } }).post.music?.title).toBe("Song");
});

test("a numeric id gives the post its link, with all its digits, and not its own id", () => {
  const { post } = parse(
    '{"aweme_id":"v120","id":7354861484037524768,"author":{"unique_id":"ada"}}',
  );
  expect(post.postId).toBe(`file-${sha256}`);
  expect(post.url).toBe("https://www.tiktok.com/@ada/video/7354861484037524768");
});

test("an id of another form is no id", () => {
  expect(parse({ id: "../../etc" }).post.postId).toBe(`file-${sha256}`);
});

test("a file without a detail is known by its content alone", () => {
  const { post } = toBareImport(sha256);
  expect(post).toMatchObject({
    postId: `file-${sha256}`,
    title: "",
    music: null,
    author: { uniqueId: null },
  });
});

test.each([
  ["a byte order mark", Buffer.from('\ufeff{"title":"Soup day"}')],
  ["UTF-16", Buffer.from('\ufeff{"title":"Soup day"}', "utf16le")],
  ["UTF-16 without a mark", Buffer.from('{"title":"Soup day"}', "utf16le")],
])("a detail with %s is read", (_what, content) => {
  expect(toImport(parseImportDetail(content, "clip.json"), sha256).post.title).toBe("Soup day");
});

test.each([
  ["", /is empty/],
  [" \n", /is empty/],
  ["{", /is not valid JSON/],
  ["[".repeat(100_000), /is not valid JSON/],
  ["[]", /holds no JSON object/],
  ['[{"start":0,"end":3.7,"text":"hello"}]', /holds no JSON object/],
  ["null", /holds no JSON object/],
  ['"text"', /holds no JSON object/],
  ["7", /holds no JSON object/],
  ['{"text":"hello","segments":[],"language":"en"}', /has none of title, author, music and id/],
  ['{"title":null}', /has none of/],
  ['{"attribution":"x","author":"ada","timings_ms":{}}', /that clipmill printed/],
])("%j is no detail", (text, message) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(message) }),
  );
});
