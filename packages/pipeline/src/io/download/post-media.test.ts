import {
  type FetchedPost,
  RetryableError,
  sha256,
  type StoredFile,
  UnrecoverableError,
} from "@clipmill/domain";
import { describe, expect, test, vi } from "vitest";
import { storeMedia } from "./post-media.ts";

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

/** A post with two renditions, from a CDN that does with each what is said here. */
function open(play: Error | "mute" | "whole", hdplay: Error | "mute" | "whole") {
  const served: Record<string, Error | "mute" | "whole"> = { play, hdplay };
  const asked: string[] = [];
  let opened = "";
  const unused = () => Promise.reject(new Error("not part of this test"));
  const deps: Parameters<typeof storeMedia>[0] = {
    maxBytes: 1_000,
    maxDurationMs: 60_000,
    fetcher: {
      async fetch(url): Promise<StoredFile> {
        asked.push(url);
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
        opened = key;
        // Any file will do: only its size is read.
        return { path: import.meta.filename, [Symbol.asyncDispose]: async () => {} };
      },
    } as unknown as Parameters<typeof storeMedia>[0]["storage"],
    media: {
      async probe() {
        const url = Object.keys(served).find((name) => opened.endsWith(sha256(name))) ?? "";
        return { durationMs: 8_000, hasVideo: true, hasAudio: served[url] === "whole" };
      },
      toWav: unused,
      toFrames: unused,
    },
  };
  const media = { kind: "video" as const, renditions: ["play", "hdplay"], coverUrl: null };
  const store = async () => {
    const [file] = await storeMedia(deps, { media } as unknown as FetchedPost, ctx);
    return Object.keys(served).find((url) => file?.media.sha256 === sha256(url));
  };
  return { store, asked };
}

describe("of the renditions of a video", () => {
  test("the first is taken, and the others are not asked for", async () => {
    const { store, asked } = open("whole", "whole");
    expect(await store()).toBe("play");
    expect(asked).toEqual(["play"]);
  });

  test.each([refused, html, broken, "mute" as const])(
    "the next is taken where one is %s",
    async (end) => {
      expect(await open(end, "whole").store()).toBe("hdplay");
    },
  );

  test.each([refused, html, down, "mute" as const])(
    "a mute one is taken where the next is %s",
    async (end) => {
      expect(await open("mute", end).store()).toBe("play");
    },
  );

  test("the next is not asked for where the CDN itself is in trouble", async () => {
    const { store, asked } = open(down, "whole");
    await expect(store()).rejects.toBe(down);
    expect(asked).toEqual(["play"]);
  });

  test.each([
    [refused, html],
    [html, refused],
  ])("%s and %s is no refusal, which could pass for a region lock", async (play, hdplay) => {
    await expect(open(play, hdplay).store()).rejects.toBe(html);
  });

  test("all refused is a refusal", async () => {
    await expect(open(refused, refused).store()).rejects.toBe(refused);
  });
});
