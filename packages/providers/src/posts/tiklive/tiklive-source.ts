import {
  type CallOptions,
  type Creator,
  type EngineId,
  type PostSource,
  RetryableError,
} from "@clipmill/domain";
import { createApiClient } from "../../http/api-client.ts";
import { toCommentPage, toPostPage, toReplyPage } from "./listed-items.ts";
import { looseCount, looseObject, looseTextOrNull } from "../loose-fields.ts";
import { withWholeLinks } from "../relative-links.ts";
import { toPageLink, toRequestedId } from "../page-link.ts";
import { TikLiveDetail, toFetchedPost } from "./tiklive-detail.ts";
import { createSuspicion } from "./suspicion.ts";
import { findTikLiveError, isSuspicious, toAccountError } from "./tiklive-error.ts";

export interface TikLiveOptions {
  apiKey: string;
  /** Without a slash at the end, such as `https://api.tikliveapi.com`. */
  baseUrl: string;
  /** `tiklive`, or `tiklive@sandbox` when `baseUrl` is the sandbox's. */
  engine: EngineId;
  /** Of one call with its answer, in ms. Default 30,000. */
  timeoutMs?: number;
  /** Told when an answer says that no call is left for so long, in ms. Default: nobody is. */
  onHoldOff?: (forMs: number) => void;
}

/** What TikLiveAPI offers: all of it. */
export type TikLiveSource = Required<PostSource> & { close(): Promise<void> };

/** A call costs one credit; 100,000 credits are sold for $9.90. */
const CALL_USD = 9.9 / 100_000;

/** Asked for; the API gives 30 to 35 at most and may give fewer. */
const PAGE_SIZE = "35";

/** TikLiveAPI. Its base URL is the operator's own, so it may be http and private; redirects are not followed. */
export function createTikLiveSource(options: TikLiveOptions): TikLiveSource {
  const { apiKey, baseUrl, engine, timeoutMs = 30_000, onHoldOff } = options;
  const api = createApiClient({
    baseUrl,
    headers: { "x-api-key": apiKey },
    engine,
    timeoutMs,
    onHoldOff,
  });

  const suspicion = createSuspicion();
  const call = async (path: string, params: Record<string, string>, signal: AbortSignal) => {
    const answer = await api.get(path, params, { signal });
    const error = findTikLiveError(answer, engine);
    if (error !== null) throw error;
    return unwrap(answer.body);
  };
  const callPage = (
    path: string,
    params: Record<string, string>,
    { cursor, signal }: { cursor: string | null; signal: AbortSignal },
  ) => call(path, { ...params, count: PAGE_SIZE, cursor: cursor ?? "0" }, signal);

  const fetchCreator = async (uniqueId: string, { signal }: CallOptions) => {
    const body = await call("/userinfo-by-username/", { username: uniqueId }, signal);
    return toCreator(body, { uniqueId, engine });
  };

  return {
    id: engine,
    callUsd: CALL_USD,

    async fetchPost(ref, { signal }) {
      const requestedId = toRequestedId(ref, engine);
      const url = toPageLink(ref.link, requestedId);
      try {
        const body = await call("/post-detail/", { url }, signal);
        const detail = TikLiveDetail.parse(withWholeLinks(body, baseUrl));
        const fetched = toFetchedPost(detail, { requestedId, source: engine });
        suspicion.clear();
        return fetched;
      } catch (error) {
        if (isSuspicious(error) && suspicion.add(requestedId)) throw toAccountError(error, engine);
        throw error;
      }
    },

    fetchCreator,

    async listPosts({ creator, cursor }, { signal }) {
      // A creator whom another source described has no id here yet.
      const { userId } =
        creator.userId === null ? await fetchCreator(creator.uniqueId, { signal }) : creator;
      const params = { userid: userId ?? "" };
      const body = await callPage("/user-posts/", params, { cursor, signal });
      return toPostPage(body, { creator, source: engine });
    },

    async listComments({ postId, cursor }, { signal }) {
      const params = { url: toPageLink(null, postId) };
      const body = await callPage("/post-comments/", params, { cursor, signal });
      return toCommentPage(body, { postId, source: engine });
    },

    async listReplies({ postId, commentId, cursor }, { signal }) {
      const params = { comment_id: commentId };
      const body = await callPage("/post-comment-replies/", params, { cursor, signal });
      return toReplyPage(body, { postId, source: engine });
    },

    close: () => api.close(),
  };
}

const WRAPPERS = ["data", "result"];
const WRAPPERS_MAX = 3;

/** Some mirrors wrap the answer in `data`, or in a list of one. */
function unwrap(body: unknown, depth = 0): unknown {
  if (typeof body !== "object" || body === null || depth === WRAPPERS_MAX) return body;
  if (Array.isArray(body)) return body.length === 1 ? unwrap(body[0], depth + 1) : body;
  const fields = new Map(Object.entries(body));
  const inner = WRAPPERS.map((name) => fields.get(name)).find(
    (value) => typeof value === "object" && value !== null,
  );
  return inner === undefined ? body : unwrap(inner, depth + 1);
}

/** The one answer in camelCase. */
const UserInfo = looseObject({
  user: looseObject({
    id: looseTextOrNull,
    uniqueId: looseTextOrNull,
    nickname: looseTextOrNull,
    stats: looseObject({ followerCount: looseCount, videoCount: looseCount }),
  }),
});

function toCreator(
  body: unknown,
  { uniqueId, engine }: { uniqueId: string; engine: EngineId },
): Creator {
  const { user } = UserInfo.parse(body);
  if (user.id === null || !/^\d{1,20}$/.test(user.id)) {
    throw new RetryableError("bad_response", "the creator has no numeric id", { upstream: engine });
  }
  return {
    userId: user.id,
    uniqueId: user.uniqueId ?? uniqueId,
    nickname: user.nickname,
    followerCount: user.stats.followerCount,
    postCount: user.stats.videoCount,
  };
}
