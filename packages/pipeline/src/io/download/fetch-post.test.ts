import {
  type FetchedPost,
  type PostSource,
  RetryableError,
  sha256,
  SkipError,
  type StorageKey,
  UnrecoverableError,
} from "@clipmill/domain";
import { describe, expect, test, vi } from "vitest";
import { fetchPost, type RegionLock } from "./fetch-post.ts";

const POST_ID = "7345678901234567890";
const stale = new RetryableError("stale_link", "403");
const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log };
const ctx = {
  signal: new AbortController().signal,
  log,
  attempt: 1,
  expiredToken: null,
  now: () => new Date(0),
  pay: <T>(_: unknown, call: () => Promise<T>) => call(),
};

/** A source that names links of its own, unless `media` does; `says` makes it fail. */
function source(
  id: string,
  says: Error | null = null,
  media?: FetchedPost["media"],
): PostSource & { fetchPost: ReturnType<typeof vi.fn> } {
  const fetched: FetchedPost = {
    post: {
      postId: POST_ID,
      url: null,
      title: "",
      author: { uniqueId: null, nickname: null, followerCount: null },
      music: null,
      region: "DE",
      durationMs: 8_000,
      postedAt: null,
      source: id,
    },
    engagement: { plays: null, likes: null, comments: null, shares: null },
    media: media ?? {
      kind: "video",
      renditions: [`${id}/play`, `${id}/hd`],
      coverUrl: null,
      cookie: `c=${id}`,
    },
    captions: [],
  };
  return {
    id,
    callUsd: 0,
    fetchPost: vi.fn(async () => {
      if (says !== null) throw says;
      return fetched;
    }),
  };
}

/** A CDN that serves what `serve` does not refuse, and remembers what it was asked for. */
function deps(
  sources: PostSource[],
  serve: (url: string, proxyCountry?: string) => Error | null = () => null,
  regionLock: RegionLock = "metadata",
) {
  const asked: string[] = [];
  const unused = () => Promise.reject(new Error("not part of this test"));
  return {
    asked,
    sources,
    regionLock,
    maxBytes: 1_000,
    maxDurationMs: 60_000,
    maxSlides: 10,
    maxSlideBytes: 1_000,
    fetcher: {
      async fetch(
        url: string,
        { proxyCountry, cookie }: { proxyCountry?: string; cookie?: string },
      ) {
        asked.push([url, cookie, proxyCountry].filter((part) => part !== undefined).join(" "));
        const refusal = serve(url, proxyCountry);
        if (refusal !== null) throw refusal;
        const key: StorageKey = `media/${sha256(url)}`;
        return { key, sha256: sha256(url), bytes: 4 };
      },
    },
    storage: {
      write: unused,
      has: unused,
      delete: unused,
      createScratch: unused,
      openLocal: async () => ({
        // Any file will do: only its size is read.
        path: import.meta.filename,
        [Symbol.asyncDispose]: async () => {},
      }),
    },
    media: {
      probe: async () => ({ durationMs: 8_000, hasAudio: true, hasVideo: true, unknownCodecs: [] }),
      toWav: unused,
      toFrames: unused,
    },
  } as unknown as Parameters<typeof fetchPost>[0] & { asked: string[] };
}
const fetchFrom = (from: Parameters<typeof fetchPost>[0], attempt = 1) =>
  fetchPost(from, { postId: POST_ID, link: null, engines: ["a", "b"] }, { ...ctx, attempt });

describe("fetching a post", () => {
  test("takes the first source of the recipe, with the cookie that its links want", async () => {
    const [a, b] = [source("a"), source("b")];
    const from = deps([b, a]);
    const { fetched, files, missing } = await fetchFrom(from);
    expect(fetched.post.source).toBe("a");
    expect(files).toHaveLength(1);
    expect(missing).toBeNull();
    expect(from.asked).toEqual(["a/play c=a"]);
    expect(b.fetchPost).not.toHaveBeenCalled();
  });

  test("asks again for links that were stale on arrival", async () => {
    const a = source("a");
    let refusals = 2;
    const from = deps([a], () => (refusals-- > 0 ? stale : null));
    expect((await fetchFrom(from)).missing).toBeNull();
    expect(a.fetchPost).toHaveBeenCalledTimes(2);
    expect(from.asked).toEqual(["a/play c=a", "a/hd c=a", "a/play c=a"]);
  });

  test.each([
    ["throttled", new RetryableError("throttled", "429")],
    ["without a key", new RetryableError("provider_key", "401")],
    ["without that kind of post", new UnrecoverableError("unsupported", "no slideshows")],
  ])("goes on to the next source where one is %s", async (_what, error) => {
    const { fetched } = await fetchFrom(deps([source("a", error), source("b")]));
    expect(fetched.post.source).toBe("b");
  });

  test("goes on to the next source where the media of one is no media, or refused", async () => {
    const html = new RetryableError("bad_response", "HTML");
    for (const refusal of [html, stale]) {
      const from = deps([source("a"), source("b")], (url) =>
        url.startsWith("a/") ? refusal : null,
      );
      expect((await fetchFrom(from)).fetched.post.source).toBe("b");
    }
  });

  test("ends with what the first source says of the post", async () => {
    const b = source("b");
    const gone = new SkipError("gone", "gone");
    await expect(fetchFrom(deps([source("a", gone), b]))).rejects.toBe(gone);
    expect(b.fetchPost).not.toHaveBeenCalled();
  });

  test("believes an explicit gone of the second source over the trouble of the first", async () => {
    const sources = [
      source("a", new RetryableError("blocked", "403")),
      source("b", new SkipError("gone", "")),
    ];
    await expect(fetchFrom(deps(sources))).rejects.toMatchObject({ code: "gone" });
  });
});

describe("a video that is refused for good", () => {
  const refuse = () => stale;
  const fetchAgain = (from: Parameters<typeof fetchPost>[0]) => fetchFrom(from, 2);

  test("is tried once more, since a CDN that blocks us for a moment answers the same", async () => {
    await expect(fetchFrom(deps([source("a")], refuse))).rejects.toBe(stale);
  });

  test("is left out by default, and the result says so", async () => {
    const a = source("a");
    const { files, missing, fetched } = await fetchAgain(deps([a], refuse));
    expect({ files, missing }).toEqual({ files: [], missing: "region_locked" });
    expect(fetched.post.source).toBe("a");
    expect(a.fetchPost).toHaveBeenCalledTimes(2);
  });

  test("counts more than the trouble of the other sources", async () => {
    const sources = [source("a"), source("b", new RetryableError("throttled", "429"))];
    expect(await fetchAgain(deps(sources, refuse))).toMatchObject({ missing: "region_locked" });
  });

  test("ends the request where the operator wants that", async () => {
    await expect(fetchAgain(deps([source("a")], refuse, "fail"))).rejects.toMatchObject({
      name: "SkipError",
      code: "region_locked",
    });
  });

  test("is fetched through the proxy of the post's region", async () => {
    const from = deps([source("a")], (_url, country) => (country === "DE" ? null : stale), "proxy");
    expect(await fetchAgain(from)).toMatchObject({ missing: null });
    expect(from.asked.at(-1)).toBe("a/play c=a DE");
  });

  test.each([
    ["refused there too", stale],
    ["without a proxy there", new SkipError("region_locked", "no proxy")],
  ])("is region_locked when it is %s", async (_what, refusal) => {
    const from = deps(
      [source("a")],
      (_url, country) => (country === undefined ? stale : refusal),
      "proxy",
    );
    await expect(fetchAgain(from)).rejects.toMatchObject({ code: "region_locked" });
  });

  test("is tried again later when the proxy fails", async () => {
    const down = new RetryableError("upstream_unavailable", "proxy");
    const from = deps(
      [source("a")],
      (_url, country) => (country === undefined ? stale : down),
      "proxy",
    );
    await expect(fetchAgain(from)).rejects.toBe(down);
  });
});

describe("a slideshow", () => {
  const slides = {
    kind: "slideshow",
    imageUrls: ["1", "2"],
    audioUrl: "sound",
  } satisfies FetchedPost["media"];
  const fetchSlides = (serve: (url: string) => Error | null) =>
    fetchFrom(deps([source("a", null, slides)], serve), 2);

  test("is fetched in order, with its sound", async () => {
    const { files } = await fetchSlides(() => null);
    expect(files.map(({ role, position }) => `${role} ${position}`)).toEqual([
      "slide 0",
      "slide 1",
      "audio 0",
    ]);
  });

  test("of which a part is refused is no locked one", async () => {
    const refused = fetchSlides((url) => (url === "2" ? stale : null));
    await expect(refused).rejects.toMatchObject({
      code: "stale_link",
      details: { served: 2, refused: 1 },
    });
  });

  test("that is refused as a whole is locked", async () => {
    expect(await fetchSlides(() => stale)).toMatchObject({ missing: "region_locked" });
  });

  test("fails with what is not a refusal, where there is such a failure", async () => {
    const down = new RetryableError("upstream_unavailable", "503");
    await expect(fetchSlides((url) => (url === "sound" ? down : stale))).rejects.toBe(down);
  });
});
