import {
  type AwemeId,
  type Comment,
  type Creator,
  type ListedPost,
  type Page,
  RetryableError,
} from "@clipmill/domain";
import { z } from "zod";
import {
  looseCount,
  looseFlag,
  looseMoment,
  looseObject,
  looseText,
  looseTextOrNull,
} from "../loose-fields.ts";
import { TikLiveDetail, toEngagement, toNumericIds, toPost } from "./tiklive-detail.ts";

/** Lists in the words that TikLiveAPI and tikwm share. */

const Listing = looseObject({
  videos: z.unknown(),
  comments: z.unknown(),
  cursor: looseText,
  hasMore: looseFlag,
});

/** `id`, as the contract has it; `cid`, as TikTok itself does. */
const CommentItem = looseObject({
  id: looseText,
  cid: looseText,
  text: looseText,
  digg_count: looseCount,
  reply_total: looseCount,
  create_time: looseMoment,
  user: looseObject({ unique_id: looseTextOrNull, nickname: looseTextOrNull }),
});

/** Items without a usable id are left out. Throws RetryableError `bad_response` for what is no list of posts. */
export function toPostPage(
  body: unknown,
  { creator, source }: { creator: Creator; source: string },
): Page<ListedPost> {
  const listing = Listing.parse(body);
  return toPage(listing, toItems(listing, listing.videos, source), (item) => {
    const detail = TikLiveDetail.parse(item);
    const postId = toNumericIds(detail)[0];
    if (postId === undefined) return null;
    const form = detail.images.length > 0 ? "photo" : "video";
    // Lists may leave out whose they are.
    const author = { ...detail.author, unique_id: detail.author.unique_id ?? creator.uniqueId };
    return {
      post: toPost({ ...detail, author }, { postId, source, form }),
      engagement: toEngagement(detail),
    };
  });
}

export function toCommentPage(
  body: unknown,
  { postId, source }: { postId: AwemeId; source: string },
): Page<Comment> {
  const listing = Listing.parse(body);
  return toPage(listing, toItems(listing, listing.comments, source), (item) => {
    const comment = CommentItem.parse(item);
    const id = comment.id === "" ? comment.cid : comment.id;
    if (id === "") return null;
    return {
      id,
      postId,
      text: comment.text,
      likeCount: comment.digg_count,
      replyCount: comment.reply_total,
      postedAt: comment.create_time,
      author: { uniqueId: comment.user.unique_id, nickname: comment.user.nickname },
    };
  });
}

/** Replies have none of their own, whether the answer says so or not. */
export function toReplyPage(...args: Parameters<typeof toCommentPage>): Page<Comment> {
  const { items, cursor } = toCommentPage(...args);
  return { items: items.map((reply) => ({ ...reply, replyCount: 0 })), cursor };
}

/** An empty list may come as null, but only where the answer says that nothing follows: an error is no end of a list. */
function toItems(
  { hasMore }: z.infer<typeof Listing>,
  value: unknown,
  source: string,
): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null && hasMore === false) return [];
  throw new RetryableError("bad_response", "the answer holds no list", { upstream: source });
}

function toPage<T>(
  { cursor, hasMore }: z.infer<typeof Listing>,
  rawItems: readonly unknown[],
  toItem: (item: unknown) => T | null,
): Page<T> {
  const items = rawItems.map(toItem).filter((item) => item !== null);
  // Where the answer does not say, a page with items may have another behind it.
  const isLast = cursor === "" || !(hasMore ?? rawItems.length > 0);
  return { items, cursor: isLast ? null : cursor };
}
