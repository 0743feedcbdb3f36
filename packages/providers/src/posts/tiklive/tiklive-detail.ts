import {
  AwemeId,
  type FetchedMedia,
  type FetchedPost,
  type Post,
  RetryableError,
} from "@clipmill/domain";
import { z } from "zod";
import {
  looseCount,
  looseDurationMs,
  looseFlag,
  looseLink,
  looseLinks,
  looseMoment,
  looseObject,
  looseText,
  looseTextOrNull,
} from "../loose-fields.ts";

const MusicInfo = looseObject({
  id: looseTextOrNull,
  title: looseText,
  author: looseText,
  original: looseFlag,
});

/** `/post-detail/` as the contract has it. Which key holds the numeric id differs from post to post. */
export const TikLiveDetail = looseObject({
  id: looseText,
  video_id: looseText,
  aweme_id: looseText,
  region: looseText,
  title: looseText,
  cover: looseLink,
  origin_cover: looseLink,
  duration: looseDurationMs,
  play: looseLink,
  hdplay: looseLink,
  // `wmplay` is left out: its watermark spoils the reading of on-screen text.
  music: looseLink,
  music_info: z
    .unknown()
    .transform((value) => (value === null || value === undefined ? null : MusicInfo.parse(value))),
  play_count: looseCount,
  digg_count: looseCount,
  comment_count: looseCount,
  share_count: looseCount,
  create_time: looseMoment,
  author: looseObject({
    unique_id: looseTextOrNull,
    nickname: looseTextOrNull,
    follower_count: looseCount,
  }),
  images: looseLinks,
});
export type TikLiveDetail = z.infer<typeof TikLiveDetail>;

/** The numeric ids of a detail. `aweme_id` may be an opaque media id, so none of the three is trusted by its name. */
export function toNumericIds(detail: TikLiveDetail): AwemeId[] {
  const ids = [detail.id, detail.video_id, detail.aweme_id];
  return ids.filter((id) => AwemeId.safeParse(id).success);
}

/**
 * A detail as a fetched post. Throws RetryableError `bad_response` when it is about another post than was asked for,
 * holds no usable id, or has nothing to play or show.
 */
export function toFetchedPost(
  detail: TikLiveDetail,
  { requestedId, source }: { requestedId: AwemeId; source: string },
): FetchedPost {
  const ids = toNumericIds(detail);
  if (!ids.includes(requestedId) && !ids.some((id) => isRounded(id, requestedId))) {
    const why = ids.length === 0 ? "the detail holds no post id" : "the detail is of another post";
    throw new RetryableError("bad_response", why, { upstream: source });
  }
  const media = toMedia(detail, source);
  return {
    post: toPost(detail, {
      postId: requestedId,
      source,
      form: media.kind === "slideshow" ? "photo" : "video",
    }),
    engagement: toEngagement(detail),
    media,
    captions: [],
  };
}

/** Whether an id is the one that was asked for, sent as a number by a program that rounds it beyond 2^53. */
function isRounded(id: string, requestedId: AwemeId): boolean {
  const rounded = Number(requestedId);
  return id === String(rounded) || id === String(BigInt(rounded));
}

export function toEngagement(detail: TikLiveDetail): FetchedPost["engagement"] {
  return {
    plays: detail.play_count,
    likes: detail.digg_count,
    comments: detail.comment_count,
    shares: detail.share_count,
  };
}

/** In a slideshow `play` and `hdplay` are the sound, whatever their names say. */
function toMedia(detail: TikLiveDetail, source: string): FetchedMedia {
  const { play, hdplay, music, images } = detail;
  if (images.length > 0) {
    return { kind: "slideshow", imageUrls: images, audioUrl: play ?? hdplay ?? music };
  }
  const renditions = [...new Set([play, hdplay])].filter((link) => link !== null);
  if (renditions.length === 0) {
    throw new RetryableError("bad_response", "the detail has no media link", { upstream: source });
  }
  return { kind: "video", renditions, coverUrl: detail.origin_cover ?? detail.cover };
}

export function toPost(
  detail: TikLiveDetail,
  { postId, source, form }: { postId: string; source: string; form: "video" | "photo" },
): Post {
  const { unique_id: uniqueId, nickname, follower_count: followerCount } = detail.author;
  return {
    postId,
    url: AwemeId.safeParse(postId).success ? toPageUrl(postId, uniqueId, form) : null,
    title: detail.title,
    author: { uniqueId, nickname, followerCount },
    music: detail.music_info,
    region: /^[A-Za-z]{2}$/.test(detail.region) ? detail.region.toUpperCase() : null,
    durationMs: form === "photo" ? 0 : (detail.duration ?? 0),
    postedAt: detail.create_time,
    source,
  };
}

/** The id alone finds the page; a name of another shape than TikTok's is left out. */
export function toPageUrl(postId: string, uniqueId: string | null, form: string): string {
  const handle = uniqueId !== null && /^[\w.]{1,64}$/.test(uniqueId) ? uniqueId : "";
  return `https://www.tiktok.com/@${handle}/${form}/${postId}`;
}
