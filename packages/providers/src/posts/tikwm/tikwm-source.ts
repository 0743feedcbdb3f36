import { type EngineId, type PostSource, toEngineId } from "@clipmill/domain";
import { createApiClient } from "../../http/api-client.ts";
import { toCommentPage, toPostPage } from "../tiklive/listed-items.ts";
import { withWholeLinks } from "../relative-links.ts";
import { toPageLink, toRequestedId } from "../page-link.ts";
import { TikLiveDetail, toFetchedPost } from "../tiklive/tiklive-detail.ts";
import { findTikwmError } from "./tikwm-error.ts";

export interface TikwmOptions {
  /** Without a slash at the end, such as `https://www.tikwm.com`. */
  baseUrl: string;
  /** Default `tikwm`. */
  engine?: EngineId;
  /** Of one call with its answer, in ms. Default 30,000. */
  timeoutMs?: number;
  /** Told when an answer says that no call is left for so long, in ms. Default: nobody is. */
  onHoldOff?: (forMs: number) => void;
}

export const TIKWM_ID = toEngineId("tikwm");

/** Asked for; fewer may come. */
const POSTS_PER_PAGE = "35";
const COMMENTS_PER_PAGE = "50";

/**
 * tikwm.com: free and without a key, one call a second and 5,000 a day. It answers in TikLiveAPI's words inside an
 * envelope `{code, msg, data}`.
 */
export function createTikwmSource(
  options: TikwmOptions,
): PostSource &
  Required<Pick<PostSource, "listPosts" | "listComments">> & { close(): Promise<void> } {
  const { baseUrl, engine = TIKWM_ID, timeoutMs = 30_000, onHoldOff } = options;
  const api = createApiClient({ baseUrl, engine, timeoutMs, onHoldOff });
  const call = async (path: string, params: Record<string, string>, signal: AbortSignal) => {
    const answer = await api.get(path, params, { signal });
    const error = findTikwmError(answer, engine);
    if (error !== null) throw error;
    return (answer.body as { data?: unknown }).data;
  };

  return {
    id: engine,
    callUsd: 0,

    async fetchPost(ref, { signal }) {
      const requestedId = toRequestedId(ref, engine);
      const params = { url: toPageLink(ref.link, requestedId), hd: "1" };
      const data = await call("/api/", params, signal);
      const detail = TikLiveDetail.parse(withWholeLinks(data, baseUrl));
      return toFetchedPost(detail, { requestedId, source: engine });
    },

    async listPosts({ creator, cursor }, { signal }) {
      const unique_id = creator.uniqueId;
      const params = { unique_id, count: POSTS_PER_PAGE, cursor: cursor ?? "0" };
      const data = await call("/api/user/posts", params, signal);
      return toPostPage(data, { creator, source: engine });
    },

    async listComments({ postId, cursor }, { signal }) {
      const url = toPageLink(null, postId);
      const params = { url, count: COMMENTS_PER_PAGE, cursor: cursor ?? "0" };
      const data = await call("/api/comment/list", params, signal);
      return toCommentPage(data, { postId, source: engine });
    },

    close: () => api.close(),
  };
}
