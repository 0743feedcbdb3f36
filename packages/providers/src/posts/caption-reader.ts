import { type CaptionReader, RetryableError } from "@clipmill/domain";
import { BodyError, readBodyText } from "../http/body-text.ts";
import type { SafeHttp } from "../http/safe-http.ts";
import { parseRetryAfter, toStatusError } from "../http/upstream-error.ts";
import { parseCaptions } from "./parse-captions.ts";

/** An hour of subtitles has about 100 kB. */
const MAX_BYTES = 1_000_000;
const UPSTREAM = "cdn";

/** Reads WebVTT and SubRip. Links are fetched as media are: by name and address, never into our own network. */
export function createCaptionReader({ http }: { http: SafeHttp }): CaptionReader {
  return {
    async readCaptions(captions, { signal }) {
      const { content } = captions;
      const text = "text" in content ? content.text : await fetchText(http, content.url, signal);
      const segments = parseCaptions(text);
      if (segments.length === 0 && text.trim() !== "")
        throw toBadResponse("the captions hold no cue");
      return segments;
    },
  };
}

async function fetchText(http: SafeHttp, url: string, signal: AbortSignal): Promise<string> {
  const response = await http.request(url, { signal, headers: { accept: "text/vtt, */*" } });
  try {
    const { status } = response;
    if (status === 403 || status === 410) {
      const options = { upstream: UPSTREAM, details: { status } };
      throw new RetryableError("stale_link", `the captions' link answered ${status}`, options);
    }
    if (status === 429 || status >= 500) {
      const retryAfterMs = parseRetryAfter(response.headers["retry-after"]);
      throw toStatusError(status, UPSTREAM, retryAfterMs === undefined ? {} : { retryAfterMs });
    }
    // No key of ours is involved, so 401 and 402 are nothing that a person could fix here.
    if (status !== 200) throw toBadResponse(`the captions' link answered ${status}`);
    return await readBodyText(response.body, response.headers, { maxBytes: MAX_BYTES });
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    throw toBadResponse(error.reason === "too_long" ? "the captions have no end" : error.message);
  } finally {
    await response.discard();
  }
}

function toBadResponse(message: string): RetryableError {
  return new RetryableError("bad_response", message, { upstream: UPSTREAM });
}
