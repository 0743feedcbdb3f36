import { createTikLiveSource } from "@clipmill/providers";
import { afterEach, describe, expect, test } from "vitest";
import { describePostSource, type UpstreamFault } from "../support/describe-post-source.ts";
import { type Handler, startLoopback } from "../support/loopback.ts";

const VIDEO = "7345678901234567890";
const SLIDESHOW = "7345678901234567891";
const PRIVATE = "7345678901234567892";
const GONE = "7345678901234567893";
const KEY = "key-that-must-not-leak";
const signal = new AbortController().signal;

/** Payloads in the contract's words; the id of the video stands there as a number too big for one. */
const PAYLOADS: Record<string, string> = {
  [VIDEO]: `{"aweme_id":"v12044gd0000abc","id":${VIDEO},"title":null,"duration":8,"play_count":"12",
    "play":"https://v16.tiktokcdn.com/a","wmplay":"https://v16.tiktokcdn.com/wm","author":{"unique_id":"ada"},"images":null}`,
  [SLIDESHOW]: `{"id":"${SLIDESHOW}","duration":0,"play":"https://sf16.tiktokcdn.com/a.mp3","music_info":null,
    "images":["https://p16.tiktokcdn.com/1.jpg","https://p16.tiktokcdn.com/2.jpg"]}`,
  [PRIVATE]: '{"status":"error","message":"This post is private"}',
  [GONE]: '{"status":"error","message":"Not found post"}',
};

function answer(request: Parameters<Handler>[0], response: Parameters<Handler>[1]): void {
  const url = new URL(request.url ?? "", "http://localhost");
  const id = /\d{19}/.exec(url.searchParams.get("url") ?? "")?.[0] ?? "";
  if (url.pathname !== "/base/post-detail/" || request.headers["x-api-key"] !== KEY) {
    response.end('{"message":"Invalid API key"}');
    return;
  }
  response.setHeader("content-type", "application/json").end(PAYLOADS[id] ?? "{}");
}

const FAULTS: Record<UpstreamFault, Handler> = {
  "429": (_, response) => response.writeHead(429, { "retry-after": "1" }).end(),
  "500": (_, response) => response.writeHead(500).end("oops"),
  html: (_, response) => response.setHeader("content-type", "text/html").end("<html></html>"),
  empty: (_, response) => response.end("{}"),
  reset: (request) => request.socket.resetAndDestroy(),
};

async function openTikLive() {
  let next: Handler | null = null;
  const server = await startLoopback((request, response) => {
    const handler = next ?? answer;
    next = null;
    handler(request, response);
  });
  const source = createTikLiveSource({
    apiKey: KEY,
    baseUrl: `${server.origin}/base`,
    engine: "tiklive",
  });
  return {
    source,
    server,
    posts: { video: VIDEO, slideshow: SLIDESHOW, private: PRIVATE, gone: GONE },
    breakNext: (fault: UpstreamFault) => {
      next = FAULTS[fault];
    },
    answerNext: (handler: Handler) => {
      next = handler;
    },
    close: async () => {
      await source.close();
      await server.close();
    },
  };
}

describePostSource("tiklive", openTikLive);

describe("tiklive", () => {
  let subject: Awaited<ReturnType<typeof openTikLive>>;
  afterEach(() => subject.close());

  test("asks for the given link where it names the creator, else with a placeholder", async () => {
    subject = await openTikLive();
    const { source, server } = subject;
    const asked = () =>
      new URL(server.requests.at(-1)?.split(" ")[1] ?? "", server.origin).searchParams.get("url");
    const link = `https://m.tiktok.com/@ada/video/${VIDEO}?x=1`;
    await source.fetchPost({ postId: VIDEO, link }, { signal });
    expect(asked()).toBe(`https://www.tiktok.com/@ada/video/${VIDEO}`);
    await source.fetchPost({ postId: VIDEO, link: "https://vm.tiktok.com/ZMabc/" }, { signal });
    expect(asked()).toBe(`https://www.tiktok.com/@placeholder/video/${VIDEO}`);
  });

  test("names a post that the upstream confuses with another", async () => {
    subject = await openTikLive();
    subject.answerNext((_, response) => response.end(PAYLOADS[SLIDESHOW]));
    const fetched = subject.source.fetchPost({ postId: VIDEO, link: null }, { signal });
    await expect(fetched).rejects.toMatchObject({ code: "bad_response" });
  });

  test("knows no local files", async () => {
    subject = await openTikLive();
    const postId = `file-${"a".repeat(64)}`;
    const fetched = subject.source.fetchPost({ postId, link: null }, { signal });
    await expect(fetched).rejects.toMatchObject({ code: "unsupported" });
    expect(subject.server.requests).toEqual([]);
  });

  test("does not follow a redirect, which would carry the key elsewhere", async () => {
    subject = await openTikLive();
    const elsewhere = await startLoopback(answer);
    subject.answerNext((_, response) =>
      response.writeHead(302, { location: elsewhere.origin }).end(),
    );
    const fetched = subject.source.fetchPost({ postId: VIDEO, link: null }, { signal });
    await expect(fetched).rejects.toMatchObject({ code: "bad_response" });
    expect(elsewhere.connections()).toBe(0);
    await elsewhere.close();
  });

  test("gives up on silence and on an answer without end, and never says the key", async () => {
    subject = await openTikLive();
    const options = { apiKey: KEY, baseUrl: `${subject.server.origin}/base`, engine: "tiklive" };
    const hasty = createTikLiveSource({ ...options, timeoutMs: 100 });
    subject.answerNext(() => {});
    const silent = await hasty
      .fetchPost({ postId: VIDEO, link: null }, { signal })
      .catch((e: unknown) => e);
    expect(silent).toMatchObject({
      code: "upstream_unavailable",
      details: { transport: "timeout" },
    });
    expect(String(silent)).not.toContain(KEY);
    await hasty.close();
    subject.answerNext((_, response) => {
      const more = () =>
        void (response.write(Buffer.alloc(100_000))
          ? setImmediate(more)
          : response.once("drain", more));
      more();
    });
    const endless = subject.source.fetchPost({ postId: VIDEO, link: null }, { signal });
    await expect(endless).rejects.toMatchObject({ code: "bad_response" });
  });

  test("takes nesting without end for no JSON", async () => {
    subject = await openTikLive();
    subject.answerNext((_, response) => response.end("[".repeat(900_000) + "]".repeat(900_000)));
    const fetched = subject.source.fetchPost({ postId: VIDEO, link: null }, { signal });
    await expect(fetched).rejects.toMatchObject({ code: "bad_response" });
  });
});
