import type { ScreenText } from "../artifacts/answer.ts";
import type { PostId } from "../ids.ts";
import type { Engagement, Post } from "../post/post.ts";
import type { Transcript } from "../artifacts/transcript.ts";

/** What stages read of what earlier stages stored. Writing goes through the stage's `records`. */
export interface ArtifactReader {
  findPost(postId: PostId): Promise<{ post: Post; engagement: Engagement } | null>;
  findTranscript(key: string): Promise<Transcript | null>;
  findScreenText(key: string): Promise<ScreenText | null>;
}

/** Follows a short link to the post that it stands for. */
export interface LinkResolver {
  /**
   * The post and its canonical link. Throws SkipError `gone` for a dead code, UnrecoverableError `not_a_post` when it
   * leads elsewhere.
   */
  resolve(
    shortUrl: string,
    options: { signal: AbortSignal },
  ): Promise<{ awemeId: string; url: string }>;
}
