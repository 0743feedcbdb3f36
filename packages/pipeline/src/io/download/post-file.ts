import { stat } from "node:fs/promises";
import {
  ClipmillError,
  type Media,
  type MediaFetcher,
  type MediaRole,
  type MediaTools,
  type StageContext,
  type Storage,
  type StorageKey,
  UnrecoverableError,
} from "@clipmill/domain";

export interface PostMediaDeps {
  fetcher: MediaFetcher;
  storage: Storage;
  media: MediaTools;
  /** Of one file, and of all pictures of a slideshow together. */
  maxBytes: number;
  maxDurationMs: number;
  /** More pictures of a slideshow are left out. */
  maxSlides: number;
  /** A larger picture of a slideshow is left out. */
  maxSlideBytes: number;
}

/** A stored file of a post. */
export interface PostFile {
  media: Media;
  role: MediaRole;
  position: number;
}

/** How links are fetched: through a proxy, with a cookie. */
export type Way = Pick<Parameters<MediaFetcher["fetch"]>[1], "proxyCountry" | "cookie">;

export function isRefusal(error: unknown): error is ClipmillError {
  return error instanceof ClipmillError && error.code === "stale_link";
}

export async function fetchFile(
  { fetcher, maxBytes }: Pick<PostMediaDeps, "fetcher" | "maxBytes">,
  url: string,
  { signal }: StageContext,
  way: Way,
): Promise<StorageKey> {
  return (await fetcher.fetch(url, { signal, maxBytes, ...way })).key;
}

/** A stored file, and whether it can be read. */
export interface Described {
  file: PostFile;
  /** Whether ffmpeg knows all its codecs. */
  isDecodable: boolean;
}

/** Throws what `MediaTools.probe` throws, and UnrecoverableError `too_long`. */
export async function describeFile(
  { storage, media, maxDurationMs }: PostMediaDeps,
  key: StorageKey,
  role: MediaRole,
  position: number,
  { signal, onWait }: StageContext,
): Promise<Described> {
  await using stored = await storage.openLocal(key, { signal });
  const { durationMs, hasAudio, hasVideo, unknownCodecs } = await media.probe(stored.path, {
    signal,
    onWait,
  });
  if (durationMs > maxDurationMs) {
    const message = `the media is longer than the limit of ${maxDurationMs / 1000} s (MAX_MEDIA_SECONDS)`;
    throw new UnrecoverableError("too_long", message);
  }
  const { size: bytes } = await stat(stored.path);
  const kind = role === "slide" || role === "cover" ? "image" : hasVideo ? "video" : "audio";
  const file: PostFile = {
    media: {
      sha256: key.slice(key.indexOf("/") + 1),
      kind,
      bytes,
      durationMs: kind === "image" || durationMs === 0 ? null : durationMs,
      hasAudio,
      hasVideo,
    },
    role: role === "video" && kind === "audio" ? "audio" : role,
    position,
  };
  return { file, isDecodable: unknownCodecs.length === 0 };
}
