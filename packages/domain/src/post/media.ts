import { z } from "zod";
import { type ErrorCode, isErrorCode } from "../errors/error-codes.ts";
import { PostId, Sha256 } from "../ids.ts";
import { defineRecord } from "../work/record.ts";

/** A stored file and what was found in it. */
export const Media = z.object({
  sha256: Sha256,
  kind: z.enum(["video", "audio", "image"]),
  bytes: z.number().int(),
  /** Measured; null for images. */
  durationMs: z.number().int().nullable(),
  hasAudio: z.boolean(),
  hasVideo: z.boolean(),
});
export type Media = z.infer<typeof Media>;

/** What a file is to a post. */
export const MediaRole = z.enum(["video", "audio", "cover", "slide"]);
export type MediaRole = z.infer<typeof MediaRole>;

export const PostMedia = z.object({
  postId: PostId,
  mediaSha256: Sha256,
  role: MediaRole,
  /** Order among the slides; 0 otherwise. */
  position: z.number().int(),
});
export type PostMedia = z.infer<typeof PostMedia>;

/** 16 kHz mono PCM made from a media file. */
export const PreparedAudio = z.object({
  mediaSha256: Sha256,
  recipe: z.string(),
  audioSha256: Sha256,
  bytes: z.number().int(),
  durationMs: z.number().int(),
});
export type PreparedAudio = z.infer<typeof PreparedAudio>;

/**
 * A part of a post that is there but was not read, and why. An answer about the post must not say that there is no
 * speech or no text in it.
 */
export const Unread = z.object({
  part: z.enum(["sound", "video", "pictures"]),
  code: z.custom<ErrorCode>(isErrorCode),
  /** One sentence for people, without anything that the file says of itself but a codec's name. */
  message: z.string(),
});
export type Unread = z.infer<typeof Unread>;

export const mediaKind = defineRecord({
  name: "media",
  shape: Media,
  key: ({ sha256 }) => sha256,
});

export const postMediaKind = defineRecord({
  name: "post_media",
  shape: PostMedia,
  key: ({ postId, role, position }) => `${postId} ${role} ${position}`,
});

export const audioKind = defineRecord({
  name: "audio",
  shape: PreparedAudio,
  key: ({ mediaSha256, recipe }) => `${mediaSha256} ${recipe}`,
});
