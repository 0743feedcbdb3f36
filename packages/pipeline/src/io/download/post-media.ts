import { stat } from "node:fs/promises";
import {
  ClipmillError,
  type ErrorCode,
  type FetchedPost,
  type Media,
  type MediaFetcher,
  type MediaRole,
  type MediaTools,
  RetryableError,
  type StageContext,
  type Storage,
  type StorageKey,
  UnrecoverableError,
} from "@clipmill/domain";

export interface PostMediaDeps {
  fetcher: MediaFetcher;
  storage: Storage;
  media: MediaTools;
  maxBytes: number;
  maxDurationMs: number;
}

/** A stored file of a post. */
export interface PostFile {
  media: Media;
  role: MediaRole;
  position: number;
}

/** How links are fetched: through a proxy, with a cookie. */
type Way = Pick<Parameters<MediaFetcher["fetch"]>[1], "proxyCountry" | "cookie">;

/**
 * Fetches a post's media into storage. Throws RetryableError `stale_link` if the CDN serves no rendition, or only a
 * part of a slideshow; `details.served` is then the number of files that it served.
 */
export async function storeMedia(
  deps: PostMediaDeps,
  { media }: FetchedPost,
  ctx: StageContext,
  way: Way = {},
): Promise<PostFile[]> {
  switch (media.kind) {
    case "stored":
      return [await describe(deps, `media/${media.sha256}`, "video", 0, ctx)];
    case "video": {
      const { renditions, coverUrl, cookie } = media;
      const wayHere = cookie === undefined ? way : { ...way, cookie };
      const video = await fetchFirst(deps, renditions, ctx, wayHere);
      return [video, ...(await fetchCover(deps, coverUrl, ctx, wayHere))];
    }
    case "slideshow":
      return await fetchSlideshow(deps, media, ctx, way);
  }
}

async function fetchSlideshow(
  deps: PostMediaDeps,
  { imageUrls, audioUrl }: Extract<FetchedPost["media"], { kind: "slideshow" }>,
  ctx: StageContext,
  way: Way,
): Promise<PostFile[]> {
  const parts: { url: string; role: MediaRole; position: number }[] = [
    ...imageUrls.map((url, position) => ({ url, role: "slide" as const, position })),
    ...(audioUrl === null ? [] : [{ url: audioUrl, role: "audio" as const, position: 0 }]),
  ];
  // Waits for all of them, so that nothing is still being written when the attempt ends.
  const results = await Promise.allSettled(
    parts.map(async ({ url, role, position }) =>
      describe(deps, await fetchOne(deps, url, ctx, way), role, position, ctx),
    ),
  );
  const failures: unknown[] = [];
  const files: PostFile[] = [];
  for (const result of results) {
    if (result.status === "fulfilled") files.push(result.value);
    else failures.push(result.reason);
  }
  if (failures.length === 0) return files;
  const other = failures.find((error) => !isRefusal(error));
  if (other !== undefined) throw other;
  throw new RetryableError("stale_link", "links of the slideshow were refused", {
    cause: failures[0],
    details: { served: files.length, refused: failures.length },
  });
}

export function isRefusal(error: unknown): error is ClipmillError {
  return error instanceof ClipmillError && error.code === "stale_link";
}

/** Errors of one rendition, after which another one may still be good. */
const OF_ONE_RENDITION: readonly ErrorCode[] = [
  "stale_link",
  "bad_response",
  "corrupt_media",
  "no_content",
];

/**
 * The first rendition that has sound. The next one is tried if one is refused, is no media, or is mute, as H.265
 * renditions sometimes are. If none has sound, the first mute one is taken. Otherwise throws the last error that was
 * not a refusal, and a refusal only if all were refused.
 */
async function fetchFirst(
  deps: PostMediaDeps,
  urls: readonly string[],
  ctx: StageContext,
  way: Way,
): Promise<PostFile> {
  let mute: PostFile | null = null;
  let failure: ClipmillError | null = null;
  for (const url of urls) {
    try {
      const file = await describe(deps, await fetchOne(deps, url, ctx, way), "video", 0, ctx);
      if (file.media.hasAudio) return file;
      mute ??= file;
    } catch (error) {
      if (!(error instanceof ClipmillError) || ctx.signal.aborted) throw error;
      if (mute === null && !OF_ONE_RENDITION.includes(error.code)) throw error;
      if (failure === null || !isRefusal(error)) failure = error;
    }
  }
  if (mute !== null) return mute;
  throw failure ?? new RetryableError("bad_response", "the source names no playable link");
}

/** A post does not fail for want of a cover: it only helps to read silent posts. */
async function fetchCover(
  deps: PostMediaDeps,
  url: string | null,
  ctx: StageContext,
  way: Way,
): Promise<PostFile[]> {
  if (url === null) return [];
  try {
    return [await describe(deps, await fetchOne(deps, url, ctx, way), "cover", 0, ctx)];
  } catch (error) {
    if (!(error instanceof ClipmillError) || ctx.signal.aborted) throw error;
    ctx.log.warn({ code: error.code }, "cover not available");
    return [];
  }
}

async function fetchOne(
  { fetcher, maxBytes }: PostMediaDeps,
  url: string,
  { signal }: StageContext,
  way: Way,
): Promise<StorageKey> {
  return (await fetcher.fetch(url, { signal, maxBytes, ...way })).key;
}

async function describe(
  { storage, media, maxDurationMs }: PostMediaDeps,
  key: StorageKey,
  role: MediaRole,
  position: number,
  { signal }: StageContext,
): Promise<PostFile> {
  await using file = await storage.openLocal(key, { signal });
  const { durationMs, hasAudio, hasVideo } = await media.probe(file.path, { signal });
  if (durationMs > maxDurationMs) {
    throw new UnrecoverableError(
      "too_long",
      `the media lasts ${Math.round(durationMs / 1000)} s; the limit is ${maxDurationMs / 1000} s (MAX_MEDIA_SECONDS)`,
    );
  }
  const { size: bytes } = await stat(file.path);
  const kind = role === "slide" || role === "cover" ? "image" : hasVideo ? "video" : "audio";
  const sha256 = key.slice(key.indexOf("/") + 1);
  return {
    media: {
      sha256,
      kind,
      bytes,
      durationMs: kind === "image" ? null : durationMs,
      hasAudio,
      hasVideo,
    },
    role: role === "video" && kind === "audio" ? "audio" : role,
    position,
  };
}
