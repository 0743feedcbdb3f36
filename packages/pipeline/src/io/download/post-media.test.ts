import {
  type FetchedPost,
  RetryableError,
  sha256,
  type StoredFile,
  UnrecoverableError,
} from "@clipmill/domain";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { PostMediaDeps } from "./post-file.ts";
import { storeMedia, type StoredMedia } from "./post-media.ts";

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
const ctx = {
  signal: new AbortController().signal,
  log,
  attempt: 1,
  expiredToken: null,
  now: () => new Date(0),
  pay: <T>(_: unknown, call: () => Promise<T>) => call(),
};
const refused = new RetryableError("stale_link", "403");
const html = new RetryableError("bad_response", "HTML");
const broken = new UnrecoverableError("corrupt_media", "no index");
const down = new RetryableError("upstream_unavailable", "503");

/** What the CDN does with a link, and what its file turns out to be. */
type Served = Error | "mute" | "whole" | "undecodable";

/** A post from a CDN that does with each link what is said here. */
function open(served: Readonly<Record<string, Served>>, limits: Partial<PostMediaDeps> = {}) {
  const asked: string[] = [];
  const unused = () => Promise.reject(new Error("not part of this test"));
  const find = (key: string) => LINKS.find((url) => key.endsWith(sha256(url))) ?? "";
  const deps: PostMediaDeps = {
    maxBytes: 1_000_000,
    maxDurationMs: 60_000,
    maxSlides: 10,
    maxSlideBytes: 1_000,
    ...limits,
    fetcher: {
      async fetch(url, { maxBytes }): Promise<StoredFile> {
        asked.push(`${url} ${maxBytes}`);
        const end = served[url];
        if (end instanceof Error) throw end;
        return { key: `media/${sha256(url)}`, sha256: sha256(url), bytes: 4 };
      },
    },
    storage: {
      write: unused,
      has: unused,
      delete: unused,
      createScratch: unused,
      async openLocal(key: string) {
        const path = join(directory, find(key));
        return { path, [Symbol.asyncDispose]: async () => {} };
      },
    } as unknown as PostMediaDeps["storage"],
    media: {
      async probe(path) {
        const end = served[basename(path)];
        const unknownCodecs = end === "undecodable" ? ["bvc2"] : [];
        return { durationMs: 8_000, hasVideo: true, hasAudio: end !== "mute", unknownCodecs };
      },
      toWav: unused,
      toFrames: unused,
      toPicture: unused,
    },
  };
  const store = async (media: object, attempt = 1) =>
    await storeMedia(deps, { media } as unknown as FetchedPost, { ...ctx, attempt });
  return { store, asked };
}

const SLIDES = Array.from({ length: 10 }, (_, at) => `slide${at}`);
const LINKS = ["play", "hdplay", "sound", ...SLIDES];
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clipmill-post-media-"));
  for (const name of LINKS) await writeFile(join(directory, name), "four");
});
afterAll(() => rm(directory, { recursive: true }));

describe("of the renditions of a video", () => {
  function openVideo(play: Served, hdplay: Served) {
    const { store, asked } = open({ play, hdplay });
    const media = { kind: "video", renditions: ["play", "hdplay"], coverUrl: null };
    return {
      asked,
      async store() {
        const [file] = (await store(media)).files;
        return ["play", "hdplay"].find((url) => file?.media.sha256 === sha256(url));
      },
    };
  }

  test("the first is taken, and the others are not asked for", async () => {
    const { store, asked } = openVideo("whole", "whole");
    expect(await store()).toBe("play");
    expect(asked).toEqual(["play 1000000"]);
  });

  test.each([refused, html, broken, "mute" as const, "undecodable" as const])(
    "the next is taken where one is %s",
    async (end) => {
      expect(await openVideo(end, "whole").store()).toBe("hdplay");
    },
  );

  test.each([refused, html, down, "mute" as const])(
    "a mute one is taken where the next is %s",
    async (end) => {
      expect(await openVideo("mute", end).store()).toBe("play");
    },
  );

  test("one with sound that ffmpeg cannot wholly decode is taken before a mute one", async () => {
    expect(await openVideo("mute", "undecodable").store()).toBe("hdplay");
  });

  test("the next is not asked for where the CDN itself is in trouble", async () => {
    const { store, asked } = openVideo(down, "whole");
    await expect(store()).rejects.toBe(down);
    expect(asked).toHaveLength(1);
  });

  test.each([
    [refused, html],
    [html, refused],
  ])("%s and %s is no refusal, which could pass for a region lock", async (play, hdplay) => {
    await expect(openVideo(play, hdplay).store()).rejects.toBe(html);
  });

  test("all refused is a refusal", async () => {
    await expect(openVideo(refused, refused).store()).rejects.toBe(refused);
  });
});

describe("of a slideshow", () => {
  const toShow = (count: number, audioUrl: string | null = "sound") => ({
    kind: "slideshow",
    imageUrls: SLIDES.slice(0, count),
    audioUrl,
  });
  const rolesOf = ({ files }: StoredMedia) =>
    files.map(({ role, position }) => `${role} ${position}`);

  test("pictures over the limit of their number are left out, and that is told", async () => {
    const { store, asked } = open({}, { maxSlides: 2 });
    const stored = await store(toShow(10));
    expect(rolesOf(stored)).toEqual(["slide 0", "slide 1", "audio 0"]);
    expect(asked).toHaveLength(3);
    expect(stored.unread).toEqual([
      {
        part: "pictures",
        code: "too_large",
        message: "pictures were left out: 8 of 10 (MAX_SLIDES is 2)",
      },
    ]);
  });

  test("a picture has a limit of its own, and all together have that of a file", async () => {
    const { store, asked } = open({}, { maxBytes: 30, maxSlideBytes: 20 });
    // Six are fetched at once, and have four bytes each.
    await store(toShow(8, null));
    const limits = asked.map((ask) => Number(ask.split(" ")[1]));
    expect(limits).toEqual([20, 20, 20, 20, 20, 20, 6, 6]);
  });

  test("once all together are at the limit, no more is asked for", async () => {
    const { store, asked } = open({}, { maxBytes: 24 });
    const stored = await store(toShow(8, null));
    expect(asked).toHaveLength(6);
    expect(stored.files).toHaveLength(6);
    expect(stored.unread).toMatchObject([{ message: expect.stringContaining("number 7") }]);
  });

  test("a picture over a limit is left out, and that is told", async () => {
    const tooLarge = new UnrecoverableError("too_large", "over the limit of 20 bytes");
    const stored = await open({ slide1: tooLarge }).store(toShow(3));
    expect(rolesOf(stored)).toEqual(["slide 0", "slide 2", "audio 0"]);
    expect(stored.unread).toMatchObject([{ message: expect.stringContaining("number 2") }]);
  });

  test("one that is no picture, and sound that is none, cost the post nothing else", async () => {
    const stored = await open({ slide0: broken, sound: broken }).store(toShow(2));
    expect(rolesOf(stored)).toEqual(["slide 1"]);
    expect(stored.unread).toMatchObject([
      { part: "pictures", code: "corrupt_media" },
      { part: "sound", code: "corrupt_media" },
    ]);
  });

  test("nothing but broken parts is broken", async () => {
    const stored = open({ slide0: broken }).store(toShow(1, null));
    await expect(stored).rejects.toBe(broken);
  });

  test("a part that may be served the next time is waited for", async () => {
    await expect(open({ slide1: down, slide2: broken }).store(toShow(3))).rejects.toBe(down);
    await expect(open({ slide1: refused }).store(toShow(3))).rejects.toMatchObject({
      code: "stale_link",
      details: { served: 3, refused: 1 },
    });
  });

  test.each([refused, html])(
    "a part that is %s is left out in the end, and named, if there are others",
    async (end) => {
      const stored = await open({ slide1: end }).store(toShow(3), 5);
      expect(rolesOf(stored)).toEqual(["slide 0", "slide 2", "audio 0"]);
      expect(stored.unread).toMatchObject([{ part: "pictures", code: end.code }]);
      await expect(open({ slide1: end }).store(toShow(3), 4)).rejects.toThrow();
      await expect(open({ slide0: end }).store(toShow(1, null), 5)).rejects.toThrow();
    },
  );

  test("a part that the CDN is in trouble with is waited for to the last attempt", async () => {
    await expect(open({ slide1: down }).store(toShow(3), 5)).rejects.toBe(down);
  });
});
