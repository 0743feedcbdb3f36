import { type Endpoint, toTextAnswer } from "../claude/answer.ts";
import type { SamplePost } from "../sample-posts.ts";

/** Short links lead to the post's page with tracking parameters; a dead code leads to the home page, as TikTok's do. */
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
      return {
        answer: { ...moved, headers: { ...moved.headers, location } },
        postId: post?.id ?? null,
      };
    },
  };
}
