import {
  type CaptionReader,
  type PostCaptions,
  RetryableError,
  type Segment,
} from "@clipmill/domain";
import { parseText, tokenizeVTTCue, type VTTNode } from "media-captions";
import { tidySegments } from "../asr/tidy-segments.ts";
import type { SafeHttp } from "../http/safe-http.ts";
import { parseRetryAfter, toStatusError } from "../http/upstream-error.ts";

/** An hour of subtitles has about 100 kB. */
const MAX_BYTES = 1_000_000;
const UPSTREAM = "cdn";

/** Reads WebVTT and SubRip. Links are fetched as media are: by name and address, never into our own network. */
export function createCaptionReader({ http }: { http: SafeHttp }): CaptionReader {
  return {
    async readCaptions(captions, { signal }) {
      const { content } = captions;
      const text = "text" in content ? content.text : await fetchText(http, content.url, signal);
      const segments = await parseCaptions(text, captions.format);
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
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.byteLength;
      if (bytes > MAX_BYTES) throw toBadResponse("the captions have no end");
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    await response.discard();
  }
}

/** Cues that make no sense are left out; what is no captions file at all gives none. */
export async function parseCaptions(
  text: string,
  format: PostCaptions["format"],
): Promise<Segment[]> {
  const { cues } = await parseText(text.slice(0, MAX_BYTES), { type: format });
  return tidySegments(
    cues
      .filter((cue) => Number.isFinite(cue.startTime) && Number.isFinite(cue.endTime))
      .map((cue) => ({
        startMs: Math.round(cue.startTime * 1000),
        endMs: Math.round(cue.endTime * 1000),
        text: toPlainText(tokenizeVTTCue(cue)),
      })),
  );
}

/** What is said, without the tags for voice, colour and karaoke times. Postgres refuses NUL. */
function toPlainText(nodes: readonly VTTNode[]): string {
  return nodes
    .map((node) => (node.type === "text" ? node.data : toPlainText(node.children)))
    .join("")
    .replaceAll("\0", "")
    .toWellFormed();
}

function toBadResponse(message: string): RetryableError {
  return new RetryableError("bad_response", message, { upstream: UPSTREAM });
}
