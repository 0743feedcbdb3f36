import type { IncomingHttpHeaders } from "node:http";
import {
  type MediaFetcher,
  RetryableError,
  SkipError,
  type Storage,
  UnrecoverableError,
} from "@clipmill/domain";
import { parseRetryAfter } from "../../http/upstream-error.ts";
import { readResuming } from "./read-resuming.ts";
import type { SafeHttp, SafeResponse } from "../../http/safe-http.ts";
import { SNIFF_BYTES, sniffMedia } from "../sniff-media.ts";

export interface CdnFetcherOptions {
  http: SafeHttp;
  storage: Storage;
  /** Longest silence of the CDN within a body, in ms. Default 60,000. */
  idleTimeoutMs?: number;
  /** http(s) proxies by country, two upper-case letters. Default: none. */
  proxies?: Readonly<Record<string, string>>;
}

/** Without these TikTok's CDN answers 403 to links that a browser may open. */
const BROWSER_HEADERS = {
  referer: "https://www.tiktok.com/",
  "user-agent":
    "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
};

const UPSTREAM = "cdn";

/** Streams a media link into storage. The body is checked while it flows, and nothing that fails is kept. */
export function createCdnFetcher({
  http,
  storage,
  idleTimeoutMs = 60_000,
  proxies = {},
}: CdnFetcherOptions): MediaFetcher {
  return {
    async fetch(url, { signal, maxBytes, proxyCountry, cookie }) {
      const proxyUrl = findProxy(proxies, proxyCountry);
      const ask = (headers: Record<string, string> = {}) =>
        http.request(url, {
          signal,
          headers: { ...BROWSER_HEADERS, ...(cookie === undefined ? {} : { cookie }), ...headers },
          idleTimeoutMs,
          proxyUrl,
        });
      const response = await ask();
      try {
        checkStatus(response);
        checkHeaders(response.headers, maxBytes);
        const body = checkBody(readResuming(response, ask), readLength(response.headers));
        return await storage.write("media", body, { signal, maxBytes });
      } finally {
        await response.discard();
      }
    },
  };
}

function findProxy(
  proxies: Readonly<Record<string, string>>,
  country: string | undefined,
): string | undefined {
  if (country === undefined) return undefined;
  const name = country.toUpperCase();
  if (Object.hasOwn(proxies, name)) return proxies[name];
  throw new SkipError("region_locked", "no proxy is configured in the region of the post");
}

function checkStatus({ status, headers }: SafeResponse): void {
  const options = { upstream: UPSTREAM, details: { status } };
  if (status === 200) return;
  if (status === 403 || status === 410) {
    throw new RetryableError("stale_link", `the media link answered ${status}`, options);
  }
  if (status === 429 || status >= 500) {
    const code = status === 429 ? "throttled" : "upstream_unavailable";
    const retryAfterMs = parseRetryAfter(headers["retry-after"]);
    throw new RetryableError(code, `the CDN answered ${status}`, {
      ...options,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  throw toBadResponse(`the media link answered ${status}`, { status });
}

function checkHeaders(headers: IncomingHttpHeaders, maxBytes: number): void {
  const encoding = headers["content-encoding"] ?? "identity";
  // We asked for identity. Media does not compress, so what is compressed here is a bomb or no media.
  if (encoding !== "identity") throw toBadResponse("the media came compressed");
  const type = headers["content-type"] ?? "";
  if (/^\s*(text\/|application\/(json|xml|xhtml|problem))/i.test(type)) {
    throw toBadResponse("text came instead of media");
  }
  if (readLength(headers) > maxBytes) {
    throw new UnrecoverableError("too_large", `the file is over the limit of ${maxBytes} bytes`);
  }
}

/** The announced length, or NaN where none is announced. */
function readLength(headers: IncomingHttpHeaders): number {
  return Number(headers["content-length"] ?? Number.NaN);
}

/** Overflow the body on, once its first bytes look like media, and ends well only if it is as long as announced. */
async function* checkBody(
  body: AsyncIterable<Uint8Array>,
  announced: number,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  let head: Uint8Array | null = new Uint8Array(0);
  try {
    for await (const chunk of body) {
      received += chunk.byteLength;
      if (head === null) {
        yield chunk;
        continue;
      }
      head = Buffer.concat([head, chunk]);
      if (head.byteLength < SNIFF_BYTES) continue;
      checkHead(head);
      yield head;
      head = null;
    }
  } catch (cause) {
    if (received < announced && isClosedEarly(cause)) {
      throw toBadResponse("the body is shorter than announced", { announced, received });
    }
    throw cause;
  }
  // No media file is this short, so the head decides nothing but the message.
  if (head !== null) throw toBadResponse(received === 0 ? "the body is empty" : "no media came");
  if (received < announced) {
    throw toBadResponse("the body is shorter than announced", { announced, received });
  }
}

function checkHead(head: Uint8Array): void {
  if (sniffMedia(head) === null) throw toBadResponse("what came is no media file");
}

/** The server closed in good order before the end it had announced; a reset is the network's fault instead. */
function isClosedEarly(error: unknown): boolean {
  return error instanceof RetryableError && error.details["transport"] === "UND_ERR_SOCKET";
}

function toBadResponse(why: string, details: Record<string, number> = {}): RetryableError {
  return new RetryableError("bad_response", why, { upstream: UPSTREAM, details });
}
