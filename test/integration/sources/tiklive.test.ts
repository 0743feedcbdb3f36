import { createSandbox, type Fault, samplePosts } from "@clipmill/sandbox";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { createTikLiveSource } from "../../../packages/providers/src/posts/tiklive/tiklive-source.ts";
import {
  describePostSource,
  type UpstreamFault,
} from "../../support/conformance/describe-post-source.ts";
import { type Handler, startLoopback } from "../../support/fakes/loopback.ts";

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

const COMMENT = "7345678901234567800";

/** Lists in the contract's words: pages smaller than asked for, one of them empty, ids that are too big for numbers. */
const LISTS: Record<string, Record<string, string>> = {
  "/base/userinfo-by-username/": {
    0: '{"user":{"id":6800000000000000011,"uniqueId":"ada","stats":{"followerCount":"12","videoCount":2}}}',
  },
  "/base/user-posts/": {
    0: `{"videos":[{"video_id":"${VIDEO}","title":"a","author":{"unique_id":"ada"}}],"cursor":"1","hasMore":true}`,
    1: '{"videos":[],"cursor":2,"hasMore":1}',
    2: `{"data":{"videos":[{"video_id":${SLIDESHOW},"images":["https://p16.tiktokcdn.com/1.jpg"]},{"video_id":"v1"}],"cursor":"3","hasMore":false}}`,
  },
  "/base/post-comments/": {
    0: `{"comments":[{"id":${COMMENT},"text":"one","digg_count":"3","reply_total":1,"create_time":1710000000,"user":{"unique_id":"bob"}}],"cursor":"1","hasMore":true}`,
    1: '{"comments":[{"cid":"7345678901234567801","text":"two"},{"text":"no id"}],"cursor":"1","hasMore":false}',
  },
  "/base/post-comment-replies/": {
    0: '{"comments":[{"id":"7345678901234567802","text":"three"}],"cursor":"1","hasMore":false}',
  },
};

function answer(request: Parameters<Handler>[0], response: Parameters<Handler>[1]): void {
  const url = new URL(request.url ?? "", "http://localhost");
  const list = LISTS[url.pathname];
  if (list !== undefined && request.headers["x-api-key"] === KEY) {
    response.end(list[url.searchParams.get("cursor") ?? "0"]);
    return;
  }
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
    lists: { uniqueId: "ada", postId: VIDEO, commentId: COMMENT },
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

describePostSource("tiklive on the sandbox", async () => {
  const sandbox = await createSandbox();
  const source = createTikLiveSource({
    apiKey: "sandbox",
    baseUrl: `${sandbox.url}/tiklive`,
    engine: "tiklive@sandbox",
  });
  const samples = samplePosts();
  const find = (kind: (typeof samples)[number]["kind"]) =>
    samples.find((post) => post.kind === kind && post.faults.length === 0)?.id ?? "";
  const talked = samples.find(({ comments }) => comments.some(({ replies }) => replies.length > 0));
  const kinds: Record<UpstreamFault, Fault["kind"]> = {
    "429": "rate-limited",
    "500": "server-error",
    html: "html",
    empty: "html",
    reset: "truncated",
  };
  return {
    source,
    posts: {
      video: find("speech"),
      slideshow: find("slideshow"),
      private: find("private"),
      gone: find("deleted"),
    },
    lists: {
      uniqueId: talked?.creator.uniqueId ?? "",
      postId: talked?.id ?? "",
      commentId: talked?.comments.find(({ replies }) => replies.length > 0)?.id ?? null,
    },
    breakNext: (fault) => sandbox.addFaults([{ kind: kinds[fault], times: 1 }]),
    close: async () => {
      await source.close();
      await sandbox.close();
    },
  };
});

test("a post that the sandbox does not know is unsupported, and only the sandbox's word counts", async () => {
  const sandbox = await createSandbox();
  onTestFinished(() => sandbox.close());
  const open = (engine: string) =>
    createTikLiveSource({ apiKey: "sandbox", baseUrl: `${sandbox.url}/tiklive`, engine });
  const [simulated, real] = [open("tiklive@sandbox"), open("tiklive")];
  onTestFinished(() => simulated.close());
  onTestFinished(() => real.close());
  const ask = ({ fetchPost }: typeof real) =>
    fetchPost({ postId: "7999999999999999999", link: null }, { signal });
  await expect(ask(simulated)).rejects.toMatchObject({
    name: "UnrecoverableError",
    code: "unsupported",
    message: expect.stringMatching(/^the sandbox knows these 8 posts: .*POST_SOURCES=ytdlp$/),
  });
  await expect(ask(real)).rejects.toMatchObject({ code: "gone" });
});

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

  test("asks for a creator's id only where another source has described the creator", async () => {
    subject = await openTikLive();
    const { source, server } = subject;
    const creator = { uniqueId: "ada", nickname: null, followerCount: null, postCount: null };
    await source.listPosts({ creator: { ...creator, userId: "68" }, cursor: "1" }, { signal });
    expect(server.requests).toEqual([
      expect.stringMatching(/user-posts\/\?userid=68&count=35&cursor=1/),
    ]);
    await source.listPosts({ creator: { ...creator, userId: null }, cursor: null }, { signal });
    expect(server.requests[1]).toContain("userinfo-by-username/?username=ada");
    expect(server.requests[2]).toContain("userid=6800000000000000011&");
  });

  test("takes null for an empty list where nothing follows", async () => {
    subject = await openTikLive();
    subject.answerNext((_, response) => response.end('{"comments":null,"hasMore":false}'));
    const { source } = subject;
    const list = () => source.listComments({ postId: VIDEO, cursor: null }, { signal });
    expect(await list()).toEqual({ items: [], cursor: null });
    subject.answerNext((_, response) => response.end('{"comments":null,"hasMore":true}'));
    await expect(list()).rejects.toMatchObject({ code: "bad_response" });
  });

  test("names the creator in the links of posts that a list tells no name with", async () => {
    subject = await openTikLive();
    const creator = { userId: "68", uniqueId: "ada", nickname: null };
    const { items } = await subject.source.listPosts(
      { creator: { ...creator, followerCount: null, postCount: null }, cursor: "2" },
      { signal },
    );
    const url = `https://www.tiktok.com/@ada/photo/${SLIDESHOW}`;
    expect(items).toMatchObject([{ post: { url, author: { uniqueId: "ada" } } }]);
  });

  test("takes no error for an empty list", async () => {
    subject = await openTikLive();
    const list = () => subject.source.listComments({ postId: VIDEO, cursor: null }, { signal });
    subject.answerNext((_, response) =>
      response.end('{"status":"error","message":"Not found post"}'),
    );
    await expect(list()).rejects.toMatchObject({ code: "gone" });
    subject.answerNext((_, response) => response.end("{}"));
    await expect(list()).rejects.toMatchObject({ code: "bad_response" });
  });
});
