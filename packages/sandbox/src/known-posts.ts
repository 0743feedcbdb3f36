import type { Answer } from "./claude/answer.ts";
import { samplePosts } from "./sample-posts.ts";

/**
 * Marks an answer about a post that the sandbox does not have. The real upstream may have it, so "not found", which is
 * what the upstream would say, is no answer that anybody should believe. The header names the posts of the pack.
 */
export function toUnknown(answer: Answer): Answer {
  const ids = samplePosts().map(({ id }) => id);
  return { ...answer, headers: { ...answer.headers, "x-sandbox-knows": ids.join(",") } };
}
