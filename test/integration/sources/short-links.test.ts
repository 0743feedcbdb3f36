import { createLinkResolver, createSafeHttp } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Handler, type Loopback, startLoopback } from "../../support/fakes/loopback.ts";

const ID = "7345678901234567890";
const POST = `https://www.tiktok.com/@ada/video/${ID}`;
const SHORT = "https://vm.tiktok.com/ZMabc/";
const signal = new AbortController().signal;

describe("the resolver of short links", () => {
  let server: Loopback;
  let respond: Handler;
  let http: ReturnType<typeof createSafeHttp>;
  beforeEach(async () => {
    server = await startLoopback((request, response) => respond(request, response));
    http = createSafeHttp({
      allowHost: () => false,
      allowLoopback: server.origin,
      upstream: "tiktok",
    });
  });
  afterEach(async () => {
    await http.close();
    await server.close();
  });
  const redirectTo =
    (location: string): Handler =>
    (_request, response) =>
      response.writeHead(301, { location }).end("moved");
  const resolve = (link = SHORT) =>
    createLinkResolver({ http, sandboxUrl: server.origin }).resolve(link, { signal });

  test("follows one hop to the post, as a link preview", async () => {
    let agent: string | undefined;
    respond = (request, response) => {
      agent = request.headers["user-agent"];
      redirectTo(`${POST}?_r=1`)(request, response);
    };
    expect(await resolve()).toMatchObject({ awemeId: ID });
    expect(agent).toBe("facebookexternalhit/1.1");
    expect(server.requests).toEqual(["GET /t/ZMabc"]);
  });

  test.each([
    [`http://m.tiktok.com/v/${ID}.html`],
    [`https://www.tiktok.com/@/photo/${ID}`],
    [`/@ada/video/${ID}`],
    [`https://t.tiktok.com/i18n/share/video/${ID}/?x=1`],
    [`https://www.tiktok.com/login?lang=en&redirect_url=${encodeURIComponent(`${POST}?_r=1`)}&x=1`],
    [`https://www.tiktok.com/foryou?item_id=${ID}`],
    [`https://www.tiktok.com/@ada/story/${ID}?_r=1`],
    [`https://www.tiktok.com/aweme/detail/${ID}?x=1`],
    [`snssdk1233://aweme/detail/${ID}?refer=web`],
    [`https://snssdk1180.onelink.me/BAuo?af_web_dp=${encodeURIComponent(POST)}`],
    [`https://m.tiktok.com/v/${ID}.html?u_code=1&share_item_id=${ID}`],
    [Buffer.from(`https://www.tiktok.com/@d\u00e9mo/video/${ID}`, "utf8").toString("latin1")],
  ])("knows the post in %s without asking for it", async (location) => {
    respond = redirectTo(location);
    expect(await resolve()).toMatchObject({ awemeId: ID });
    expect(server.requests).toHaveLength(1);
  });

  test("follows short links to short links, four hops at most", async () => {
    const codes = ["/t/ZMabc", "/t/two", "/t/three", "/t/four"];
    respond = (request, response) => {
      const next = codes[codes.indexOf(request.url ?? "") + 1];
      redirectTo(next === undefined ? POST : `https://vt.tiktok.com${next.slice(2)}/`)(
        request,
        response,
      );
    };
    expect(await resolve()).toMatchObject({ awemeId: ID });
    expect(server.requests).toHaveLength(4);
    respond = redirectTo(SHORT);
    await expect(resolve()).rejects.toMatchObject({ code: "bad_response" });
    expect(server.requests).toHaveLength(8);
  });

  test.each([
    ["https://www.tiktok.com/", "gone"],
    ["https://www.tiktok.com/?_r=1", "gone"],
    ["/", "gone"],
    ["https://www.tiktok.com/foryou", "gone"],
    ["https://www.tiktok.com/@ada", "not_a_post"],
    ["https://www.tiktok.com/@ada/live", "not_a_post"],
    ["https://www.tiktok.com/music/x-1", "not_a_post"],
    ["https://www.tiktok.com/login", "blocked"],
    ["https://www.tiktok.com/login?redirect_url=https%3A%2F%2Fwww.tiktok.com%2F%40ada", "blocked"],
    ["https://www.tiktok.com/hk/notfound", "blocked"],
    ["https://www.tiktok.com/in/about", "blocked"],
    ["https://www.tiktok.com/captcha?x", "blocked"],
    ["https://snssdk1180.onelink.me/BAuo?af_dp=x", "blocked"],
    [`snssdk1128://aweme/detail/${ID}`, "not_a_post"],
    ["https://m.tiktok.com/h5/share/usr/7.html", "not_a_post"],
    ["https://evil.io/", "not_a_post"],
    ["https://www.tiktok.com@evil.io/", "not_a_post"],
    ["http://169.254.169.254/latest/", "not_a_post"],
    ["file:///etc/passwd", "not_a_post"],
    ["https://www.douyin.com/video/1", "not_a_post"],
  ])("a redirect to %s is %s, and nobody there is asked", async (location, code) => {
    respond = redirectTo(location);
    await expect(resolve()).rejects.toMatchObject({ code });
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    [404, "gone"],
    [410, "gone"],
    [401, "blocked"],
    [402, "blocked"],
    [403, "blocked"],
    [429, "throttled"],
    [503, "upstream_unavailable"],
    [200, "bad_response"],
  ])("the status %i is %s", async (status, code) => {
    respond = (_request, response) => response.writeHead(status).end("<html></html>");
    await expect(resolve()).rejects.toMatchObject({ code, upstream: "tiktok" });
  });

  test.each([
    [`<script>location='${POST}'</script>`],
    [`<script>window.location.replace("${POST}?_r=1")</script>`],
    [`<link rel="canonical" href="${POST}">`],
    [`<meta property="og:url" content="${POST}"/>`],
    [`<meta http-equiv="refresh" content="0; url=${POST}">`],
  ])("a page that leads on is followed: %s", async (html) => {
    respond = (_request, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end(`<html>${html}</html>`);
    expect(await resolve()).toMatchObject({ awemeId: ID });
    expect(server.requests).toHaveLength(1);
  });

  test("a page that shows other posts, or leads away, names none", async () => {
    const html = `<a href="${POST}">more</a><script>location='https://evil.io/@a/video/${ID}'</script>`;
    respond = (_request, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end(html + " ".repeat(500_000));
    await expect(resolve()).rejects.toMatchObject({ code: "bad_response" });
  });

  test("429 names the wait that TikTok asked for", async () => {
    respond = (_request, response) => response.writeHead(429, { "retry-after": "7" }).end();
    await expect(resolve()).rejects.toMatchObject({ code: "throttled", retryAfterMs: 7_000 });
  });

  test("a redirect to nowhere is bad_response", async () => {
    respond = (_request, response) => response.writeHead(302).end();
    await expect(resolve()).rejects.toMatchObject({ code: "bad_response" });
  });

  test("a link that holds its id needs no call, and one that is no TikTok link gets none", async () => {
    expect(await resolve(POST)).toEqual({ awemeId: ID, url: POST });
    await expect(resolve("https://evil.io/t/ZMabc")).rejects.toMatchObject({
      code: "invalid_link",
    });
    expect(server.requests).toEqual([]);
  });
});
