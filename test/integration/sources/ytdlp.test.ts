import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findYtDlp } from "../../../packages/providers/src/posts/ytdlp/find-ytdlp.ts";
import { createYtDlpSource } from "../../../packages/providers/src/posts/ytdlp/ytdlp-source.ts";
import {
  describePostSource,
  type UpstreamFault,
} from "../../support/conformance/describe-post-source.ts";
import { createFakeYtDlp, type FakeYtDlp, type YtDlpEnd } from "../../support/fakes/fake-ytdlp.ts";

const VIDEO = "7345678901234567890";
const SLIDESHOW = "7345678901234567891";
const PRIVATE = "7345678901234567892";
const signal = new AbortController().signal;

const toInfo = (id: string, more: object = {}) =>
  JSON.stringify({
    id,
    title: "Coffee tip",
    description: "Coffee tip #coffee",
    uploader: "ada",
    channel: "Ada",
    duration: 8,
    formats: [
      {
        format_id: "h264_540p",
        url: "https://v16.tiktok.com/v",
        vcodec: "h264",
        acodec: "aac",
        height: 1_024,
      },
    ],
    subtitles: { "eng-US": [{ ext: "vtt", url: "https://v16.tiktok.com/c.vtt" }] },
    ...more,
  });
const POSTS: Record<string, YtDlpEnd> = {
  [VIDEO]: { print: toInfo(VIDEO) },
  [SLIDESHOW]: {
    print: toInfo(SLIDESHOW, {
      formats: [{ format_id: "audio", url: "https://sf16.tiktokcdn.com/a.m4a", vcodec: "none" }],
    }),
  },
  [PRIVATE]: {
    error: "You do not have permission to view this post. Log into an account that has access",
  },
};

const FAULTS: Record<UpstreamFault, YtDlpEnd> = {
  "429": { error: "Unable to download webpage: HTTP Error 429: Too Many Requests" },
  "500": { error: "Unable to download webpage: HTTP Error 503: Service Unavailable" },
  html: { error: "Unable to extract universal data for rehydration; please report this issue" },
  empty: { print: "" },
  reset: {
    error: "Unable to download webpage: ('Connection aborted.', ConnectionResetError(104))",
  },
};

describePostSource(
  "ytdlp",
  async () => {
    const program = await createFakeYtDlp(POSTS);
    return {
      source: createYtDlpSource({ path: program.path }),
      posts: { video: VIDEO, slideshow: null, private: PRIVATE, gone: null },
      breakNext: (fault) => program.endNext(FAULTS[fault]),
      close: async () => {
        await program[Symbol.asyncDispose]();
      },
    };
  },
  // Of a slideshow it has the sound alone, and what it calls unavailable may be anything.
  { absent: ["slideshow", "gone", "lists"] },
);

describe("ytdlp", () => {
  let program: FakeYtDlp;
  beforeEach(async () => {
    program = await createFakeYtDlp(POSTS);
  });
  afterEach(() => program[Symbol.asyncDispose]());
  const fetchPost = (postId: string, link: string | null = null, timeoutMs = 20_000) =>
    createYtDlpSource({ path: program.path, timeoutMs }).fetchPost({ postId, link }, { signal });

  test("gets its link after --, and never an option", async () => {
    await fetchPost(VIDEO, `https://www.tiktok.com/@ada/video/${VIDEO}?--exec=x`);
    await fetchPost(VIDEO, "--exec=touch /tmp/x");
    const [named = [], bare = []] = await program.calls();
    expect(named.slice(-2)).toEqual(["--", `https://www.tiktok.com/@ada/video/${VIDEO}`]);
    expect(bare.slice(-2)).toEqual(["--", `https://www.tiktok.com/@placeholder/video/${VIDEO}`]);
  });

  test("brings TikTok's captions", async () => {
    expect((await fetchPost(VIDEO)).captions).toEqual([
      {
        language: "en",
        format: "vtt",
        content: { url: "https://v16.tiktok.com/c.vtt" },
        origin: null,
      },
    ]);
  });

  test("is asked for a slideshow by a link that it knows, and leaves it to others", async () => {
    const link = `https://www.tiktok.com/@ada/photo/${SLIDESHOW}`;
    await expect(fetchPost(SLIDESHOW, link)).rejects.toMatchObject({ code: "unsupported" });
  });

  test.each([
    [
      "blocks this address",
      "blocked",
      { error: "Your IP address is blocked from accessing this post" },
    ],
    ["does not know an option", "bad_response", { error: "no such option", exitCode: 2 }],
  ])("that %s is %s", async (_what, code, end) => {
    await program.endNext(end);
    await expect(fetchPost(VIDEO)).rejects.toMatchObject({ code });
  });

  test("that hangs is killed when its time is over", async () => {
    await program.endNext({ hang: true });
    await expect(fetchPost(VIDEO, null, 1_500)).rejects.toMatchObject({
      code: "upstream_unavailable",
    });
  });

  test("knows no local files", async () => {
    await expect(fetchPost(`file-${"a".repeat(64)}`)).rejects.toMatchObject({
      code: "unsupported",
    });
    expect(await program.calls()).toEqual([]);
  });

  test("is found with its release, or not at all", async () => {
    expect(await findYtDlp(program.path)).toEqual({ path: program.path, version: "2026.08.19" });
    expect(await findYtDlp(`${program.path}-nowhere`)).toBeNull();
  });
});
