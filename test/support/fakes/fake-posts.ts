import type { PostReader, StoredPost } from "@clipmill/db";
import { hashJson, type PostResult } from "@clipmill/domain";

/** Reads of posts that stand in memory. */
export function createFakePosts(stored: ReadonlyMap<string, PostResult>): PostReader {
  const find = async (postId: string): Promise<StoredPost | null> => {
    const result = stored.get(postId);
    return result === undefined ? null : { version: hashJson(result), result };
  };
  return { find, findVersion: async (postId) => (await find(postId))?.version ?? null };
}
