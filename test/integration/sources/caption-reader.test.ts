import type { PostCaptions } from "@clipmill/domain";
import { createCaptionReader, createSafeHttp } from "@clipmill/providers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Handler, type Loopback, startLoopback } from "../../support/fakes/loopback.ts";

const VTT = "WEBVTT\n\n00:00.000 --> 00:02.000\nhello there\n";
const signal = new AbortController().signal;

describe("captions that are a link", () => {
  let server: Loopback;
  let respond: Handler;
  let http: ReturnType<typeof createSafeHttp>;
  beforeEach(async () => {
    server = await startLoopback((request, response) => respond(request, response));
    http = createSafeHttp({ allowHost: () => false, allowLoopback: server.origin });
  });
  afterEach(async () => {
    await http.close();
    await server.close();
  });
  const read = (url = `${server.origin}/c.vtt`, on = signal) => {
    const captions: PostCaptions = {
      language: "en",
      format: "vtt",
      content: { url },
      origin: null,
    };
    return createCaptionReader({ http }).readCaptions(captions, { signal: on });
  };

  test("are fetched and read", async () => {
    respond = (_request, response) => response.end(VTT);
    expect(await read()).toEqual([{ startMs: 0, endMs: 2_000, text: "hello there" }]);
  });

  test("may be empty", async () => {
    respond = (_request, response) => response.end(" \n");
    expect(await read()).toEqual([]);
  });

  test.each<[what: string, handler: Handler, code: string]>([
    ["403", (_request, response) => response.writeHead(403).end(), "stale_link"],
    ["401", (_request, response) => response.writeHead(401).end(), "bad_response"],
    ["402", (_request, response) => response.writeHead(402).end(), "bad_response"],
    ["429", (_request, response) => response.writeHead(429).end(), "throttled"],
    ["503", (_request, response) => response.writeHead(503).end(), "upstream_unavailable"],
    ["HTML", (_request, response) => response.end("<html>login</html>"), "bad_response"],
    ["2 MB", (_request, response) => response.end(VTT + "x".repeat(2_000_000)), "bad_response"],
  ])("that answer with %s are %s", async (_what, handler, code) => {
    respond = handler;
    await expect(read()).rejects.toMatchObject({ code });
  });

  test.each([
    "http://169.254.169.254/latest/meta-data",
    "https://evil.io/c.vtt",
    "file:///etc/passwd",
    "http://127.0.0.1:1/c.vtt",
  ])("at %s are not asked for", async (url) => {
    await expect(read(url)).rejects.toMatchObject({ code: "bad_response" });
    expect(server.connections()).toBe(0);
  });

  test("are given up with the signal's reason", async () => {
    respond = () => {};
    const reason = new Error("shutdown");
    await expect(read(undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
