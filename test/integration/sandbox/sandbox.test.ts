import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { judgeSpeech } from "@clipmill/domain";
import {
  createSandbox,
  type SamplePost,
  samplePosts,
  type Sandbox,
  toSamplePath,
} from "@clipmill/sandbox";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const posts = samplePosts();
const start = Date.UTC(2026, 0, 1);
let now = start;
let sandbox: Sandbox;

beforeEach(async () => {
  now = start;
  sandbox = await createSandbox({ now: () => now });
});
afterEach(async () => {
  await sandbox.close();
});

function find(matches: (post: SamplePost) => boolean): SamplePost {
  const post = posts.find(matches);
  if (post === undefined) throw new Error("the pack has no such post");
  return post;
}

function getPost(kind: SamplePost["kind"]): SamplePost {
  return find((post) => post.kind === kind);
}

async function callTiklive(path: string, params: Record<string, string>, key = "sandbox") {
  const query = new URLSearchParams(params);
  const headers = key === "" ? {} : { "x-api-key": key };
  const response = await fetch(`${sandbox.url}/tiklive/${path}/?${query.toString()}`, { headers });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) };
}

async function fetchDetail(post: SamplePost) {
  return (await callTiklive("post-detail", { url: post.url })).body;
}

function postAudio(name: string, fields: Record<string, string>) {
  const form = new FormData();
  form.set("file", new Blob([new Uint8Array(44 + 32_000)], { type: "audio/wav" }), name);
  for (const [field, value] of Object.entries(fields)) form.set(field, value);
  return fetch(`${sandbox.url}/openai/v1/audio/transcriptions`, { method: "POST", body: form });
}

describe("the pack", () => {
  test("has every kind of post, two with speech, and one that is throttled first", () => {
    const kinds = posts.map(({ kind }) => kind);
    expect(new Set(kinds).size).toBe(6);
    expect(kinds.filter((kind) => kind === "speech").length).toBeGreaterThanOrEqual(2);
    expect(posts.some(({ faults }) => faults[0]?.kind === "rate-limited")).toBe(true);
  });

  test("consists of files that hash to the manifest, in under a megabyte", () => {
    let bytes = 0;
    for (const file of posts.flatMap((post) => post.files)) {
      const content = readFileSync(toSamplePath(file));
      bytes += content.length;
      expect(createHash("sha256").update(content).digest("hex")).toBe(file.sha256);
      expect(content.length).toBe(file.bytes);
    }
    expect(bytes).toBeLessThan(1_000_000);
  });

  test("says in its segments exactly what is said, in order, and enough of it to count as speech", () => {
    for (const { words, segments, durationMs } of posts) {
      expect(segments.map(({ text }) => text).join(" ")).toBe(words ?? "");
      const times = segments.flatMap(({ startMs, endMs }) => [startMs, endMs]);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.at(-1) ?? 0).toBeLessThanOrEqual(durationMs);
      if (words !== null) expect(judgeSpeech(words, durationMs)).toBe("speech");
    }
  });

  test("cannot be changed by a caller", () => {
    samplePosts().pop();
    expect(samplePosts()).toEqual(posts);
  });
});

describe("TikLiveAPI", () => {
  test("describes a post with the fields of the contract", async () => {
    const post = getPost("speech");
    const detail = await fetchDetail(post);
    expect(detail).toMatchObject({
      aweme_id: post.id,
      id: post.id,
      title: post.title,
      images: null,
      play_count: post.counters.plays,
      music_info: { original: true },
      author: { unique_id: post.creator.uniqueId, follower_count: post.creator.followerCount },
    });
    for (const link of [detail.play, detail.hdplay, detail.wmplay, detail.cover]) {
      expect(link).toMatch(new RegExp(`^${sandbox.url}/cdn/[0-9a-f]{32}/.+\\?x-expires=\\d+$`));
    }
  });

  test.each(posts.filter(({ files }) => files.length > 0))(
    "$id is found by its link, its id and its short code",
    async ({ id, url, shortCode }) => {
      const forms = [`${url}?is_from_webapp=1`, id, `https://vm.tiktok.com/${shortCode}/`];
      for (const form of forms) {
        let { status, text } = await callTiklive("post-detail", { url: form });
        if (status === 429) ({ text } = await callTiklive("post-detail", { url: form }));
        expect(text).toMatch(new RegExp(`"id":"?${id}"?,`));
      }
    },
  );

  test("sets the traps of the real payloads", async () => {
    const byQuirk = (quirk: SamplePost["quirks"][number]) =>
      find(({ quirks }) => quirks.includes(quirk));
    const opaque = await fetchDetail(byQuirk("opaque-aweme-id"));
    expect(opaque.aweme_id).toMatch(/^v12044/);
    const numeric = byQuirk("number-id");
    const { text } = await callTiklive("post-detail", { url: numeric.url });
    expect(text).toContain(`"id":${numeric.id},`);
    const strings = await fetchDetail(byQuirk("string-counters"));
    expect(strings.play_count).toBe(String(byQuirk("string-counters").counters.plays));
    expect((await fetchDetail(byQuirk("no-follower-count"))).author).not.toHaveProperty(
      "follower_count",
    );
    expect((await fetchDetail(getPost("screen-text"))).title).toBeNull();
  });

  test("gives a slideshow's images, and its sound for a video", async () => {
    const detail = await fetchDetail(getPost("slideshow"));
    expect(detail.duration).toBe(0);
    expect(detail.images).toHaveLength(3);
    expect((await fetch(detail.play)).headers.get("content-type")).toBe("audio/mp4");
    const download = await callTiklive("download-video", { url: getPost("slideshow").url });
    expect(download.body).toEqual({ video: "", video_hd: "" });
  });

  test("answers errors with status 200, in the two shapes of the contract", async () => {
    const of = async (url: string) => callTiklive("post-detail", { url });
    const gone = { status: 200, body: { status: "error", message: "Not found post" } };
    expect(await of(getPost("deleted").url)).toMatchObject(gone);
    expect(await of("https://www.tiktok.com/@nobody/video/7999999999999999999")).toMatchObject(
      gone,
    );
    expect((await of(getPost("private").url)).body).toMatchObject({
      status: "error",
      message: expect.stringMatching(/private/),
    });
    const keyless = await callTiklive("post-detail", { url: getPost("speech").url }, "");
    expect(keyless.status).toBe(200);
    expect(keyless.body).toEqual({ message: expect.stringMatching(/API key/) });
  });

  test("the throttled post answers 429 once and then works", async () => {
    const post = find(({ faults }) => faults.length > 0);
    const url = `${sandbox.url}/tiklive/post-detail/?url=${post.id}`;
    const first = await fetch(url, { headers: { "x-api-key": "sandbox" } });
    expect([first.status, first.headers.get("retry-after")]).toEqual([429, "1"]);
    expect((await fetchDetail(post)).id).toBe(post.id);
  });

  test("lists a creator's posts page by page, under video_id", async () => {
    const { creator } = getPost("speech");
    const { body } = await callTiklive("userinfo-by-username", { username: creator.uniqueId });
    expect(body.user).toMatchObject({ id: creator.id, stats: { videoCount: 2 } });
    const first = await callTiklive("user-posts", { userid: creator.id, count: "1" });
    expect(first.body).toMatchObject({ hasMore: true, cursor: "1" });
    const { cursor } = first.body;
    const second = await callTiklive("user-posts", { userid: creator.id, count: "1", cursor });
    expect(second.body.hasMore).toBe(false);
    const ids = [...first.body.videos, ...second.body.videos].map((video) => video.video_id);
    expect(ids).toEqual(posts.filter((post) => post.creator.id === creator.id).map(({ id }) => id));
  });

  test("lists comments and their replies", async () => {
    const post = getPost("speech");
    const { body } = await callTiklive("post-comments", { url: post.url, count: "50" });
    expect(body.comments).toHaveLength(post.comments.length);
    const [comment] = body.comments;
    expect(comment).toMatchObject({
      video_id: post.id,
      reply_total: 2,
      user: { unique_id: expect.any(String) },
    });
    const replies = await callTiklive("post-comment-replies", { comment_id: comment.id });
    expect(replies.body).toMatchObject({ hasMore: false });
    expect(replies.body.comments).toHaveLength(2);
  });
});

describe("the CDN", () => {
  test("serves the pack's bytes under every rendition", async () => {
    const post = getPost("speech");
    const { play, hdplay } = await fetchDetail(post);
    for (const link of [play, hdplay]) {
      const response = await fetch(link);
      expect(response.headers.get("content-type")).toBe("video/mp4");
      const hash = createHash("sha256").update(Buffer.from(await response.arrayBuffer()));
      expect(hash.digest("hex")).toBe(post.files[0]?.sha256);
    }
  });

  test.each([
    ["bytes=0-9", 206, 10, /^bytes 0-9\//],
    ["bytes=-10", 206, 10, /^bytes \d+-\d+\//],
    ["bytes=99999999-", 416, 25, /^bytes \*\//],
  ])("answers the range %s with %i", async (range, status, bytes, contentRange) => {
    const { play } = await fetchDetail(getPost("speech"));
    const response = await fetch(play, { headers: { range } });
    expect(response.status).toBe(status);
    expect((await response.arrayBuffer()).byteLength).toBeLessThanOrEqual(bytes);
    expect(response.headers.get("content-range")).toMatch(contentRange);
  });

  test("refuses a link after ten minutes, while a fresh one works", async () => {
    const { play } = await fetchDetail(getPost("speech"));
    now += 9 * 60_000;
    expect((await fetch(play)).status).toBe(200);
    now += 2 * 60_000;
    expect((await fetch(play)).status).toBe(403);
    expect((await fetch((await fetchDetail(getPost("speech"))).play)).status).toBe(200);
  });

  test("refuses a link whose expiry was moved", async () => {
    const { play } = await fetchDetail(getPost("speech"));
    expect((await fetch(play.replace(/\d+$/, "9999999999"))).status).toBe(403);
  });
});

describe("short links", () => {
  test("lead to the post; a dead one leads to the home page", async () => {
    const { shortCode, url } = getPost("speech");
    const follow = async (code: string) => {
      const response = await fetch(`${sandbox.url}/t/${code}`, { redirect: "manual" });
      return response.headers.get("location");
    };
    expect(await follow(shortCode)).toMatch(url);
    expect(await follow("ZTnothing")).toBe("https://www.tiktok.com/?_r=1");
  });
});

describe("transcriptions", () => {
  test("are the recorded ones for a file of the pack", async () => {
    const { files, words, segments } = getPost("speech");
    const name = `${files[0]?.sha256}.wav`;
    const verbose = await postAudio(name, { model: "whisper-1", response_format: "verbose_json" });
    const body = (await verbose.json()) as { segments: { start: number; end: number }[] };
    expect(body).toMatchObject({ text: words, language: "english", duration: 1 });
    expect(body.segments.map(({ start, end }) => [start * 1000, end * 1000])).toEqual(
      segments.map(({ startMs, endMs }) => [startMs, endMs]),
    );
    expect(await (await postAudio(name, { model: "whisper-1" })).json()).toEqual({ text: words });
  });

  test("are empty for music and for a file that nobody knows", async () => {
    const music = `${getPost("music").files[0]?.sha256}.wav`;
    for (const name of [music, "a.wav"]) {
      expect(await (await postAudio(name, { model: "m" })).json()).toEqual({ text: "" });
    }
  });

  test("are refused without a file, without a model and in another format", async () => {
    const path = `${sandbox.url}/openai/v1/audio/transcriptions`;
    expect((await fetch(path, { method: "POST", body: "{}" })).status).toBe(400);
    expect((await postAudio("a.wav", {})).status).toBe(400);
    const subtitles = await postAudio("a.wav", { model: "m", response_format: "srt" });
    expect(await subtitles.json()).toMatchObject({ error: { param: "response_format" } });
  });
});
