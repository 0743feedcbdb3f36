import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTikwmSource } from "../../../packages/providers/src/posts/tikwm/tikwm-source.ts";
import {
  describePostSource,
  type UpstreamFault,
} from "../../support/conformance/describe-post-source.ts";
import { type Handler, startLoopback } from "../../support/fakes/loopback.ts";

const VIDEO = "7345678901234567890";
const SLIDESHOW = "7345678901234567891";
const PRIVATE = "7345678901234567892";
const GONE = "7345678901234567893";
const signal = new AbortController().signal;

const ok = (data: string) => `{"code":0,"msg":"success","processed_time":0.2,"data":${data}}`;
const refusal = (msg: string) => `{"code":-1,"msg":"${msg}"}`;

/** Answers in tikwm's words, as recorded ones are described: an opaque media id, links without a host. */
const POSTS: Record<string, string> = {
  [VIDEO]:
    ok(`{"aweme_id":"v12044gd0000abc","id":"${VIDEO}","region":"US","title":"/ a title","duration":8,
    "play":"/video/media/play/${VIDEO}.mp4","wmplay":"/video/media/wmplay/${VIDEO}.mp4","hd_size":0,
    "hdplay":"https://v16.tiktokcdn.com/hd","cover":"/video/cover/${VIDEO}.webp","play_count":12,
    "author":{"id":"1","unique_id":"ada","nickname":"Ada"},"images":null}`),
  [SLIDESHOW]: ok(`{"id":"${SLIDESHOW}","duration":0,"play":"https://sf16.tiktokcdn.com/a.mp3",
    "images":["/images/1.jpg","https://p16.tiktokcdn.com/2.jpg"]}`),
  [PRIVATE]: refusal("This video is private"),
  [GONE]: refusal("The video has been deleted"),
};
const LISTS: Record<string, Record<string, string>> = {
  "/api/user/posts": {
    0: ok(
      `{"videos":[{"video_id":"${VIDEO}","author":{"unique_id":"ada"}}],"cursor":"170","hasMore":true}`,
    ),
    170: ok(`{"videos":[{"video_id":"${SLIDESHOW}"}],"cursor":"180","hasMore":false}`),
  },
  "/api/comment/list": {
    0: ok(`{"comments":[{"id":"7345678901234567800","text":"one"}],"cursor":1,"hasMore":true}`),
    1: ok(`{"comments":[{"cid":"7345678901234567801","text":"two"}],"cursor":2,"hasMore":false}`),
  },
};

const answer: Handler = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
  const id = /\d{19}/.exec(searchParams.get("url") ?? "")?.[0] ?? "";
  const list = LISTS[pathname]?.[searchParams.get("cursor") ?? "0"];
  response.end(
    list ?? (pathname === "/api/" ? POSTS[id] : undefined) ?? refusal("Url parsing is failed!"),
  );
};

const FAULTS: Record<UpstreamFault, Handler> = {
  "429": (_, response) => response.end(refusal("Free Api Limit: 1 request/second.")),
  "500": (_, response) => response.writeHead(500).end("oops"),
  html: (_, response) => response.setHeader("content-type", "text/html").end("<html></html>"),
  empty: (_, response) => response.end("{}"),
  reset: (request) => request.socket.resetAndDestroy(),
};

async function openTikwm() {
  let next: Handler | null = null;
  const server = await startLoopback((request, response) => {
    const handler = next ?? answer;
    next = null;
    handler(request, response);
  });
  const source = createTikwmSource({ baseUrl: server.origin });
  return {
    source,
    server,
    posts: { video: VIDEO, slideshow: SLIDESHOW, private: PRIVATE, gone: GONE },
    lists: { uniqueId: "ada", postId: VIDEO, commentId: null },
    breakNext: (fault: UpstreamFault) => {
      next = FAULTS[fault];
    },
    close: async () => {
      await source.close();
      await server.close();
    },
  };
}

describePostSource("tikwm", openTikwm, { absent: ["creators", "replies"] });

describe("tikwm", () => {
  let subject: Awaited<ReturnType<typeof openTikwm>>;
  beforeEach(async () => {
    subject = await openTikwm();
  });
  afterEach(() => subject.close());
  const fetchPost = (postId: string) =>
    subject.source.fetchPost({ postId, link: null }, { signal });

  test("gives whole links to its mirror, and leaves texts as they are", async () => {
    const { post, media } = await fetchPost(VIDEO);
    const { origin } = subject.server;
    expect(media).toEqual({
      kind: "video",
      renditions: [`${origin}/video/media/play/${VIDEO}.mp4`, "https://v16.tiktokcdn.com/hd"],
      coverUrl: `${origin}/video/cover/${VIDEO}.webp`,
    });
    expect(post.title).toBe("/ a title");
    const slideshow = await fetchPost(SLIDESHOW);
    expect(slideshow.media).toMatchObject({
      imageUrls: [`${origin}/images/1.jpg`, "https://p16.tiktokcdn.com/2.jpg"],
    });
  });

  test("calls no post gone because its link could not be read", async () => {
    await expect(fetchPost("7345678901234567899")).rejects.toMatchObject({ code: "bad_response" });
  });

  test("sends no key and asks with the id alone", async () => {
    await fetchPost(VIDEO);
    expect(subject.server.requests).toEqual([
      `GET /api/?url=${encodeURIComponent(`https://www.tiktok.com/@placeholder/video/${VIDEO}`)}&hd=1`,
    ]);
  });
});
