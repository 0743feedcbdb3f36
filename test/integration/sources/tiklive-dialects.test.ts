import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTikLiveSource } from "../../../packages/providers/src/posts/tiklive/tiklive-source.ts";
import { type Handler, type Loopback, startLoopback } from "../../support/fakes/loopback.ts";

/** What TikLiveAPI, its mirrors and proxies in front of them may send, and what is read of it. */

const ID = "7345678901234567890";
const signal = new AbortController().signal;
const base = {
  id: ID,
  title: "Soup day",
  duration: 4,
  play: "https://v16.tiktokcdn.com/a",
  digg_count: 1,
  author: { unique_id: "ada" },
};
const json = JSON.stringify(base);
const rounded = { ...base, id: Number(ID), aweme_id: Number(ID) };

let server: Loopback;
let handler: Handler;
let source: ReturnType<typeof createTikLiveSource>;
beforeAll(async () => {
  server = await startLoopback((request, response) => handler(request, response));
  source = createTikLiveSource({ apiKey: "k", baseUrl: server.origin, engine: "tiklive" });
});
afterAll(async () => {
  await source.close();
  await server.close();
});

const fetchPost = (postId = ID) => source.fetchPost({ postId, link: null }, { signal });
const sending =
  (body: string | Buffer, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(200, { "content-type": "application/json", ...headers }).end(body);

describe("a detail", () => {
  test.each<[what: string, body: string | Buffer, headers: Record<string, string>]>([
    ["as it should be", json, {}],
    ["with a byte order mark", `\ufeff${json}`, {}],
    ["in gzip", gzipSync(json), { "content-encoding": "gzip" }],
    ["in gzip without a header", gzipSync(json), {}],
    ["in UTF-16", Buffer.from(`\ufeff${json}`, "utf16le"), {}],
    ["with NaN", json.replace('"digg_count":1', '"digg_count":NaN'), {}],
    ["in a list", `[${json}]`, {}],
    ["in an envelope", `{"code":0,"msg":"success","data":${json}}`, {}],
    ["in a list in an envelope", `{"data":[${json}]}`, {}],
    ["with an id that was rounded", JSON.stringify(rounded), {}],
    ["with text as its type", json, { "content-type": "text/plain; charset=utf-8" }],
  ])("%s is read", async (_what, body, headers) => {
    handler = sending(body, headers);
    const { post, media } = await fetchPost();
    expect(post).toMatchObject({ postId: ID, title: "Soup day", durationMs: 4_000 });
    expect(media).toMatchObject({ renditions: [base.play] });
  });

  test.each([
    ["//v16.tiktokcdn.com/a", "http://v16.tiktokcdn.com/a"],
    [" https://v16.tiktokcdn.com/a\n", "https://v16.tiktokcdn.com/a"],
    ["http://v16.tiktokcdn.com/a", "https://v16.tiktokcdn.com/a"],
  ])(
    "with the link %j is read, in the API's own protocol where it names none",
    async (play, link) => {
      handler = sending(JSON.stringify({ ...base, play, hdplay: "" }));
      expect((await fetchPost()).media).toMatchObject({ renditions: [link] });
    },
  );

  test("with a path as its link leads to the API's own host", async () => {
    handler = sending(JSON.stringify({ ...base, play: "/video/media/play/1.mp4" }));
    const { media } = await fetchPost();
    expect(media).toMatchObject({ renditions: [`${server.origin}/video/media/play/1.mp4`] });
  });

  test("that unpacks to more than is read is no answer", async () => {
    handler = sending(gzipSync(Buffer.alloc(30_000_000, 32)), { "content-encoding": "gzip" });
    await expect(fetchPost()).rejects.toMatchObject({ code: "bad_response" });
  });
});

describe("a word that may be about our account or about the post", () => {
  const refused = sending('{"status":"error","message":"Login required"}');
  const ids = [1, 2, 3].map((digit) => `734567890123456789${digit}`);

  test("is the post's, however often it is asked for", async () => {
    handler = refused;
    for (let again = 0; again < 4; again++) {
      await expect(fetchPost()).rejects.toMatchObject({ code: "bad_response" });
    }
    handler = sending(json);
    await fetchPost();
  });

  test("is the account's once three posts in a row have got it", async () => {
    handler = refused;
    const codes: string[] = [];
    for (const id of ids)
      await fetchPost(id).catch((error: { code: string }) => codes.push(error.code));
    expect(codes).toEqual(["bad_response", "bad_response", "provider_key"]);
    handler = sending(json);
    await fetchPost();
    handler = refused;
    await expect(fetchPost(ids[2])).rejects.toMatchObject({ code: "bad_response" });
  });
});
