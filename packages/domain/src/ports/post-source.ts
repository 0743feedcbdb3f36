import type { EngineId } from "../engine-id.ts";
import type { PostId, Sha256 } from "../ids.ts";
import type { Engagement, Post } from "../post.ts";

/** Where posts come from: an API of someone else, or a folder of one's own. */
export interface PostSource {
  readonly id: EngineId;
  /** What one detail call costs, in dollars; 0 where it is free. */
  readonly callUsd: number;
  /**
   * Fetches the post anew: its media links are short-lived and are never kept.
   * Throws SkipError `gone` or `private` only on an explicit word of the upstream.
   */
  fetchPost(ref: PostRef, options: { signal: AbortSignal }): Promise<FetchedPost>;
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
}

export type FetchedMedia =
  /** Renditions in the order in which they are to be tried. */
  | { kind: "video"; renditions: string[]; coverUrl: string | null }
  /** Still images in order, and the sound as its own track; there is no MP4. */
  | { kind: "slideshow"; imageUrls: string[]; audioUrl: string | null }
  /** A file that lies in our storage already. */
  | { kind: "stored"; sha256: Sha256 };
