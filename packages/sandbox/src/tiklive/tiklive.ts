import { type Answer, type Endpoint, type SandboxRequest, toJsonAnswer } from "../claude/answer.ts";
import type { RouteName } from "../faults/fault.ts";
import type { SamplePost } from "../sample-posts.ts";
import {
  toComment,
  toDetail,
  toListItem,
  type ToLink,
  toPayload,
  toUserInfo,
} from "./tiklive-payloads.ts";
import { toUnknown } from "../known-posts.ts";
import { toFailure } from "../faults/upstream-failure.ts";

/** Pages are smaller than what callers ask for. */
const MAX_PAGE = 30;

type Query = SandboxRequest["query"];

/** Answers one call, with the post that it is about. */
type Reader = (query: Query) => { answer: Answer; post?: SamplePost | undefined };

/** TikLiveAPI's endpoints over the pack. Its errors come with status 200. */
export function toTiklive(posts: readonly SamplePost[], toLink: ToLink): Endpoint[] {
  const about = (read: (post: SamplePost, query: Query) => Answer): Reader => {
    return (query) => {
      const post = findByUrl(posts, query["url"] ?? "");
      if (post === undefined) return { answer: toUnknown(toStatusError("Not found post")) };
      if (post.kind === "deleted") return { answer: toStatusError("Not found post"), post };
      if (post.kind === "private") return { answer: toStatusError("This post is private"), post };
      return { answer: read(post, query), post };
    };
  };
  return [
    endpoint(
      "post-detail",
      about((post) => ({
        ...toJsonAnswer(null),
        body: toPayload(toDetail(post, toLink), post),
      })),
    ),
    endpoint(
      "download-video",
      about((post) => {
        const detail = toDetail(post, toLink);
        const playable = post.kind !== "slideshow";
        return toJsonAnswer({
          video: playable ? detail["play"] : "",
          video_hd: playable ? detail["hdplay"] : "",
        });
      }),
    ),
    endpoint(
      "post-comments",
      about((post, query) => {
        const { items, ...page } = toPage(post.comments, query);
        const comments = items.map((comment) => toComment(post, comment, comment.replies.length));
        return toJsonAnswer({ comments, ...page });
      }),
    ),
    endpoint("post-comment-replies", (query) => readReplies(posts, query)),
    endpoint("user-posts", (query) => readUserPosts(posts, query, toLink)),
    endpoint("userinfo-by-username", (query) => readUserInfo(posts, query)),
  ];
}

function endpoint(name: RouteName, read: Reader): Endpoint {
  return {
    name,
    path: `/tiklive/${name}/`,
    answer({ headers, query }) {
      const key = headers["x-api-key"] ?? "";
      if (key.length === 0) return { answer: toFailure(name, "bad-key"), postId: null };
      const { answer, post } = read(query);
      return { answer, postId: post?.id ?? null };
    },
  };
}

/** By the id in a post's link, a bare id, or the code of a short link. */
function findByUrl(posts: readonly SamplePost[], url: string): SamplePost | undefined {
  const id = /(?:^|\/)(\d{15,20})(?:\.html)?\/?(?:[?#]|$)/.exec(url)?.[1];
  const code = /\/(\w+)\/?(?:[?#]|$)/.exec(url)?.[1];
  return posts.find((post) => (id === undefined ? post.shortCode === code : post.id === id));
}

/** Posts that anybody may see, of one creator. */
function ofCreator(posts: readonly SamplePost[], by: "id" | "uniqueId", value = ""): SamplePost[] {
  return posts.filter(
    ({ creator, files }) => files.length > 0 && creator[by] === value.replace(/^@/, ""),
  );
}

function readUserPosts(
  posts: readonly SamplePost[],
  query: Query,
  toLink: ToLink,
): { answer: Answer } {
  const own = ofCreator(posts, "id", query["userid"]);
  if (own.length === 0) return { answer: toStatusError("Not found user") };
  const { items, ...page } = toPage(own, query);
  return {
    answer: toJsonAnswer({ videos: items.map((post) => toListItem(post, toLink)), ...page }),
  };
}

function readUserInfo(posts: readonly SamplePost[], query: Query): { answer: Answer } {
  const own = ofCreator(posts, "uniqueId", query["username"]);
  return {
    answer: own.length === 0 ? toStatusError("Not found user") : toJsonAnswer(toUserInfo(own)),
  };
}

function readReplies(posts: readonly SamplePost[], query: Query): ReturnType<Reader> {
  const id = query["comment_id"];
  const post = posts.find(({ comments }) => comments.some((comment) => comment.id === id));
  const comment = post?.comments.find((comment) => comment.id === id);
  if (post === undefined || comment === undefined)
    return { answer: toStatusError("Not found comment") };
  const { items, ...page } = toPage(comment.replies, query);
  const comments = items.map((reply) => toComment(post, reply, 0));
  return { answer: toJsonAnswer({ comments, ...page }), post };
}

function toStatusError(message: string): Answer {
  return toJsonAnswer({ status: "error", message });
}

/** The cursor is the next offset, as a string. */
function toPage<T>(
  all: readonly T[],
  query: Query,
): { items: T[]; cursor: string; hasMore: boolean } {
  const count = Math.min(MAX_PAGE, Number(query["count"]) || MAX_PAGE);
  const from = Number(query["cursor"]) || 0;
  const to = Math.min(all.length, from + count);
  return { items: all.slice(from, to), cursor: String(to), hasMore: to < all.length };
}
