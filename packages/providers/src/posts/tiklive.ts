import {
  AwemeId,
  type EngineId,
  type FetchedPost,
  parseLink,
  type PostRef,
  type PostSource,
  RetryableError,
  UnrecoverableError,
} from "@clipmill/domain";
import { Agent, type Dispatcher } from "undici";
import { parseExactJson } from "./exact-json.ts";
import { TikLiveDetail, toFetchedPost } from "./tiklive-detail.ts";
import { findTikLiveError } from "./tiklive-error.ts";

export interface TikLiveOptions {
  apiKey: string;
  /** Without a slash at the end, such as `https://api.tikliveapi.com`. */
  baseUrl: string;
  /** `tiklive`, or `tiklive@sandbox` when `baseUrl` is the sandbox's. */
  engine: EngineId;
  /** Of one call with its answer, in ms. Default 30,000. */
  timeoutMs?: number;
}

/** A detail call costs one credit; 100,000 credits are sold for $9.90. */
const CALL_USD = 9.9 / 100_000;

/** A detail has about 5 kB. */
const MAX_ANSWER_BYTES = 2_000_000;

/** TikLiveAPI. Its base URL is the operator's own, so it may be http and private; redirects are not followed. */
export function createTikLiveSource(
  options: TikLiveOptions,
): PostSource & { close(): Promise<void> } {
  const { engine, timeoutMs = 30_000 } = options;
  const agent = new Agent({ allowH2: false });
  return {
    id: engine,
    callUsd: CALL_USD,

    async fetchPost(ref, { signal }): Promise<FetchedPost> {
      const requestedId = AwemeId.safeParse(ref.postId).data;
      if (requestedId === undefined) {
        throw new UnrecoverableError(
          "unsupported",
          `${engine} knows TikTok posts only, no local files`,
        );
      }
      const timeout = AbortSignal.timeout(timeoutMs);
      const answer = await callDetail(agent, toPageLink(ref, requestedId), {
        ...options,
        signal: AbortSignal.any([signal, timeout]),
      }).catch((cause: unknown) => {
        throw signal.aborted ? signal.reason : toTransportError(cause, engine);
      });
      const error = findTikLiveError(answer, engine);
      if (error !== null) throw error;
      return toFetchedPost(TikLiveDetail.parse(unwrap(answer.body)), {
        requestedId,
        source: engine,
      });
    },

    close: () => agent.destroy(),
  };
}

interface Answer {
  status: number;
  headers: Dispatcher.ResponseData["headers"];
  /** Undefined when it is no JSON. */
  body: unknown;
}

async function callDetail(
  dispatcher: Dispatcher,
  link: string,
  { apiKey, baseUrl, signal }: TikLiveOptions & { signal: AbortSignal },
): Promise<Answer> {
  const url = new URL(`${baseUrl}/post-detail/`);
  url.searchParams.set("url", link);
  const { statusCode, headers, body } = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: "GET",
    headers: { "x-api-key": apiKey, accept: "application/json" },
    signal,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_ANSWER_BYTES) break;
    chunks.push(chunk as Buffer);
  }
  const text = bytes > MAX_ANSWER_BYTES ? "" : Buffer.concat(chunks).toString("utf8");
  return { status: statusCode, headers, body: parseOrUndefined(text) };
}

function parseOrUndefined(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    // HTML, a cut-off body, nesting without end: all of them are no JSON.
    return undefined;
  }
}

/** Some mirrors wrap the detail in `data`. */
function unwrap(body: unknown): unknown {
  if (typeof body !== "object" || body === null || !("data" in body)) return body;
  return body.data ?? body;
}

/** The link as it was given if it is of this post, since it names the creator; else any name will do. */
function toPageLink({ link }: PostRef, requestedId: AwemeId): string {
  if (link !== null && link.includes(requestedId)) {
    const parsed = parseLink(link);
    if (parsed.kind === "post" && parsed.awemeId === requestedId && !parsed.url.includes("/@/")) {
      return parsed.url;
    }
  }
  return `https://www.tiktok.com/@placeholder/video/${requestedId}`;
}

function toTransportError(cause: unknown, upstream: EngineId): RetryableError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  const isTimeout = cause instanceof DOMException && cause.name === "TimeoutError";
  return new RetryableError("upstream_unavailable", `${upstream} did not answer`, {
    cause,
    upstream,
    details: { transport: isTimeout ? "timeout" : code },
  });
}
