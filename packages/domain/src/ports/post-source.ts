import type { EngineId } from "../engine-id.ts";
import type { AwemeId, PostId, Sha256 } from "../ids.ts";
import type { Page } from "../pages.ts";
import type { Engagement, Post } from "../post/post.ts";
import type { Segment } from "../artifacts/transcript.ts";

/**
 * Where posts come from: an API of someone else, a program, or a folder of one's own. Every source fetches single
 * posts; what else it can do it has the method for.
 */
export interface PostSource {
  readonly id: EngineId;
  /** What one call costs, in dollars, whichever it is; 0 where it is free. */
  readonly callUsd: number;
  /**
   * Fetches the post anew: its media links are short-lived and are never kept.
   * Throws SkipError `gone` or `private` only on an explicit word of the upstream, and UnrecoverableError
   * `unsupported` for a kind of post that this source does not have; another source may.
   */
  fetchPost(ref: PostRef, options: CallOptions): Promise<FetchedPost>;
  /** Throws SkipError `gone` only where the upstream says that there is no such creator. */
  fetchCreator?(uniqueId: string, options: CallOptions): Promise<Creator>;
  /** Newest first. Read all of it with `pages`. */
  listPosts?(
    query: { creator: Creator } & PageQuery,
    options: CallOptions,
  ): Promise<Page<ListedPost>>;
  listComments?(
    query: { postId: AwemeId } & PageQuery,
    options: CallOptions,
  ): Promise<Page<Comment>>;
  listReplies?(query: ReplyQuery, options: CallOptions): Promise<Page<Comment>>;
}

export interface CallOptions {
  signal: AbortSignal;
}

export interface PageQuery {
  /** Null for the first page, then what the page before it gave. */
  cursor: string | null;
}

export interface ReplyQuery extends PageQuery {
  postId: AwemeId;
  commentId: string;
}

export interface PostRef {
  postId: PostId;
  /** The link as it was given; null for a bare id. */
  link: string | null;
}

export interface FetchedPost {
  post: Post;
  engagement: Engagement;
  media: FetchedMedia;
  /** What the platform offers as subtitles; empty where there are none or the source does not tell. */
  captions: PostCaptions[];
}

export type FetchedMedia =
  /** Renditions in the order in which they are to be tried. `cookie` is what their hosts want to see, if anything. */
  | { kind: "video"; renditions: string[]; coverUrl: string | null; cookie?: string }
  /** Still images in order, and the sound as its own track; there is no MP4. */
  | { kind: "slideshow"; imageUrls: string[]; audioUrl: string | null }
  /** A file that lies in our storage already. */
  | { kind: "stored"; sha256: Sha256 };

/** One file of subtitles. The text is untrusted. */
export interface PostCaptions {
  /** BCP-47 primary tag such as `en`; null where the source does not tell. */
  language: string | null;
  format: "vtt" | "srt";
  content: { url: string } | { text: string };
  /** Who wrote them; null where the source does not tell. */
  origin: "creator" | "recognition" | "translation" | null;
}

/** Reads subtitles, from the platform's CDN where they are a link. */
export interface CaptionReader {
  /**
   * In order, without overlap, each with text; none is an empty list. Throws as `MediaFetcher.fetch` does, and
   * RetryableError `bad_response` for what holds no cue although it is not empty.
   */
  readCaptions(captions: PostCaptions, options: CallOptions): Promise<Segment[]>;
}

export interface Creator {
  /** TikTok's numeric id; null where the source finds posts without it. */
  userId: string | null;
  /** Without `@`. */
  uniqueId: string;
  nickname: string | null;
  followerCount: number | null;
  postCount: number | null;
}

export interface ListedPost {
  post: Post;
  engagement: Engagement;
}

export interface Comment {
  id: string;
  postId: AwemeId;
  text: string;
  likeCount: number | null;
  /** 0 for a reply: replies have none of their own. */
  replyCount: number | null;
  /** ISO time. */
  postedAt: string | null;
  author: { uniqueId: string | null; nickname: string | null };
}
