import type { ArtifactKind, ArtifactRow } from "../artifacts/kind.ts";
import type { PostId } from "../ids.ts";
import type { SeenPost } from "../post/post.ts";

/** What stages read of what earlier stages stored. Writing goes through the stage's `records`. */
export interface ArtifactReader {
  /** With its latest counters. */
  findPost(postId: PostId): Promise<SeenPost | null>;
  /** Throws for a kind that nothing stores here. */
  find<Row extends ArtifactRow>(kind: ArtifactKind<Row>, key: string): Promise<Row | null>;
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
