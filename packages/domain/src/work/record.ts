import type { Answer, ScreenText } from "../artifacts/answer.ts";
import type { PostId, Sha256 } from "../ids.ts";
import type { Engagement, Post } from "../post/post.ts";
import type { Transcript } from "../artifacts/transcript.ts";

/** A stored file and what was found in it. */
export interface Media {
  sha256: Sha256;
  kind: "video" | "audio" | "image";
  bytes: number;
  /** Probed; null for images. */
  durationMs: number | null;
  hasAudio: boolean;
  hasVideo: boolean;
}

/** What a file is to a post. */
export type MediaRole = "video" | "audio" | "cover" | "slide";

export interface PostMediaLink {
  postId: PostId;
  mediaSha256: Sha256;
  role: MediaRole;
  /** Order among the slides; 0 otherwise. */
  position: number;
}

/** 16 kHz mono PCM made from a media file. */
export interface PreparedAudio {
  mediaSha256: Sha256;
  recipe: string;
  audioSha256: Sha256;
  bytes: number;
  durationMs: number;
}

/** A row that a stage wants stored. Stored artifacts never change: the first writer of a key wins. */
export type StageRecord =
  | { kind: "post"; post: Post; engagement: Engagement }
  | { kind: "media"; media: Media; links: PostMediaLink[] }
  | { kind: "audio"; audio: PreparedAudio }
  | { kind: "transcript"; transcript: Transcript }
  | { kind: "screenText"; screenText: ScreenText }
  | { kind: "answer"; answer: Answer };
