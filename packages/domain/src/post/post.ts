import { z } from "zod";
import { hashJson, PostId, type Sha256 } from "../ids.ts";
import { defineRecord } from "../work/record.ts";

/** Counters of a post at one moment; null where the source does not tell. */
export const Engagement = z.object({
  plays: z.number().int().nullable(),
  likes: z.number().int().nullable(),
  comments: z.number().int().nullable(),
  shares: z.number().int().nullable(),
});
export type Engagement = z.infer<typeof Engagement>;

/** What is known about a post apart from its media. Stored once per observation, latest wins. */
export const Post = z.object({
  postId: PostId,
  /** The public page of the post; null for a local file. */
  url: z.string().nullable(),
  title: z.string(),
  author: z.object({
    /** The creator's @name; null where a local file brings none. */
    uniqueId: z.string().nullable(),
    nickname: z.string().nullable(),
    /** null when the source does not tell: unknown, not zero. */
    followerCount: z.number().int().nullable(),
  }),
  music: z
    .object({
      id: z.string().nullable(),
      title: z.string(),
      author: z.string(),
      original: z.boolean().nullable(),
    })
    .nullable(),
  /** Two-letter country of the post, where the source tells. */
  region: z.string().nullable(),
  /** Length as the source states it, in ms; 0 for a slideshow. The probed length of the media is what counts. */
  durationMs: z.number().int(),
  postedAt: z.string().nullable(),
  /** The engine id that fetched this, such as `tiklive` or `tiklive@sandbox`. */
  source: z.string(),
});
export type Post = z.infer<typeof Post>;

/** A post as a source told of it, and its counters at that moment. */
export const SeenPost = z.object({ post: Post, engagement: Engagement });
export type SeenPost = z.infer<typeof SeenPost>;

export const postKind = defineRecord({
  name: "post",
  shape: SeenPost,
  key: ({ post }) => post.postId,
});

/**
 * The metadata that goes to the model, and so into the answer's key. Engagement counters go along as they
 * were at the first answer but stay out of the key: they change daily.
 */
export function hashPostMetadata(post: Post): Sha256 {
  return hashJson({
    title: post.title,
    creator: post.author.uniqueId,
    musicTitle: post.music?.title ?? null,
    musicAuthor: post.music?.author ?? null,
  });
}

/**
 * The line that credits the creator wherever their words are shown: by @name, else by the name that they show, else by
 * the post's page.
 */
export function toAttribution({ author, url }: Pick<Post, "author" | "url">): string {
  const { uniqueId, nickname } = author;
  const name = uniqueId === null ? (nickname ?? "an unknown creator") : `@${uniqueId}`;
  if (url !== null) return `Video by ${name} on TikTok (${url})`;
  return uniqueId === null && nickname === null
    ? "Local file, creator unknown"
    : `Video by ${name}`;
}

export function toAuthorUrl(uniqueId: string | null): string | null {
  return uniqueId === null ? null : `https://www.tiktok.com/@${encodeURIComponent(uniqueId)}`;
}
