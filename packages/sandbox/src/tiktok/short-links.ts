import { type Endpoint, toTextAnswer } from "../claude/answer.ts";
import { toUnknown } from "../known-posts.ts";
import type { SamplePost } from "../sample-posts.ts";

/**
 * Short links lead to the post's page with tracking parameters. A code of no post leads to the home page, as TikTok's
 * dead ones do, and is marked as unknown.
 */
export function toShortLinks(posts: readonly SamplePost[]): Endpoint {
  return {
    name: "short-link",
    path: "/t/:code",
    answer({ params }) {
      const post = posts.find(({ shortCode }) => shortCode === params["code"]);
      const location =
        post === undefined
          ? "https://www.tiktok.com/?_r=1"
          : `${post.url}?_r=1&_t=${post.shortCode}&share_link_id=0`;
      const moved = toTextAnswer(post === undefined ? 302 : 301, "");
      const answer = { ...moved, headers: { ...moved.headers, location } };
      return {
        answer: post === undefined ? toUnknown(answer) : answer,
        postId: post?.id ?? null,
      };
    },
  };
}
