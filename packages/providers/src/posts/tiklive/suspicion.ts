/** So many different posts in a row make it the account's trouble. */
const POSTS_MIN = 3;

/**
 * Tells an account's trouble from a post's where the upstream's words may mean either, such as "login required". What
 * only one post brings about is that post's; what several posts bring about with no success in between is the
 * account's, and pauses the source.
 */
export interface Suspicion {
  /** A post got such an answer. Returns whether it is the account's trouble by now. */
  add(postId: string): boolean;
  /** The upstream has answered as it should. */
  clear(): void;
}

export function createSuspicion(): Suspicion {
  const posts = new Set<string>();
  return {
    add(postId) {
      if (posts.size < POSTS_MIN) posts.add(postId);
      return posts.size >= POSTS_MIN;
    },
    clear: () => posts.clear(),
  };
}
