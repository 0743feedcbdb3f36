import {
  ClipmillError,
  type ErrorCode,
  type FetchedPost,
  RetryableError,
  type StageContext,
  type Unread,
} from "@clipmill/domain";
import {
  type Described,
  describeFile,
  fetchFile,
  isRefusal,
  type PostFile,
  type PostMediaDeps,
  type Way,
} from "./post-file.ts";
import { fetchSlideshow } from "./slideshow.ts";

export interface StoredMedia {
  files: PostFile[];
  /** What is there and was left out. */
  unread: Unread[];
}

/**
 * Fetches a post's media into storage. Throws RetryableError `stale_link` if the CDN serves no rendition, or only a
 * part of a slideshow; `details.served` is then the number of files that it served. Parts of a slideshow that are no
 * media, or over a limit, are left out.
 */
export async function storeMedia(
  deps: PostMediaDeps,
  { media }: FetchedPost,
  ctx: StageContext,
  way: Way = {},
): Promise<StoredMedia> {
  switch (media.kind) {
    case "stored": {
      const { file } = await describeFile(deps, `media/${media.sha256}`, "video", 0, ctx);
      return { files: [file], unread: [] };
    }
    case "video": {
      const { renditions, coverUrl, cookie } = media;
      const wayHere = cookie === undefined ? way : { ...way, cookie };
      const video = await fetchFirst(deps, renditions, ctx, wayHere);
      const cover = await fetchCover(deps, coverUrl, ctx, wayHere);
      return { files: [video, ...cover], unread: [] };
    }
    case "slideshow":
      return await fetchSlideshow(deps, media, ctx, way);
  }
}

/** Errors of one rendition, after which another one may still be good. */
const OF_ONE_RENDITION: readonly ErrorCode[] = [
  "stale_link",
  "bad_response",
  "corrupt_media",
  "no_content",
];

/**
 * The first rendition that has sound and that ffmpeg can decode. The next one is tried if one is refused, is no media,
 * is mute, as H.265 renditions sometimes are, or is in a codec that ffmpeg does not know. If there is none, the first
 * of those with sound is taken, then the first mute one. Otherwise throws the last error that was not a refusal, and a
 * refusal only if all were refused.
 */
async function fetchFirst(
  deps: PostMediaDeps,
  urls: readonly string[],
  ctx: StageContext,
  way: Way,
): Promise<PostFile> {
  let best: Described | null = null;
  let failure: ClipmillError | null = null;
  for (const url of urls) {
    try {
      const found = await describeFile(deps, await fetchFile(deps, url, ctx, way), "video", 0, ctx);
      if (toRank(found) === WHOLE) return found.file;
      if (best === null || toRank(found) > toRank(best)) best = found;
    } catch (error) {
      if (!(error instanceof ClipmillError) || ctx.signal.aborted) throw error;
      if (best === null && !OF_ONE_RENDITION.includes(error.code)) throw error;
      if (failure === null || !isRefusal(error)) failure = error;
    }
  }
  if (best !== null) return best.file;
  throw failure ?? new RetryableError("bad_response", "the source names no playable link");
}

/** With sound, and without a codec that ffmpeg does not know. */
const WHOLE = 3;

function toRank({ file, isDecodable }: Described): number {
  return (file.media.hasAudio ? 2 : 0) + (isDecodable ? 1 : 0);
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
    return [(await describeFile(deps, await fetchFile(deps, url, ctx, way), "cover", 0, ctx)).file];
  } catch (error) {
    if (!(error instanceof ClipmillError) || ctx.signal.aborted) throw error;
    ctx.log.warn({ code: error.code }, "cover not available");
    return [];
  }
}
