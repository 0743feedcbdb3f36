import { type EngineId, type PostSource, RetryableError, toEngineId } from "@clipmill/domain";
import { toProgramEnv } from "../../programs/program-env.ts";
import { ProgramError, runProgram } from "../../programs/run-program.ts";
import { parseUpstreamJson } from "../../http/upstream-json.ts";
import { toPageLink, toRequestedId } from "../page-link.ts";
import { toYtDlpError } from "./ytdlp-error.ts";
import { toYtDlpPost, YtDlpInfo } from "./ytdlp-info.ts";

export interface YtDlpOptions {
  /** The program, such as `yt-dlp` or `/opt/yt-dlp/yt-dlp`. */
  path: string;
  /** Default `ytdlp`. */
  engine?: EngineId;
  /** Of one call, its start (about 2 s) included, in ms. Default 60,000. */
  timeoutMs?: number;
}

export const YTDLP_ID = toEngineId("ytdlp");

/** With several languages of subtitles an answer has about 200 kB. */
const MAX_OUTPUT_BYTES = 8_000_000;

/**
 * Nothing of the user's own configuration, cache or cookies; tells, downloads nothing. Subtitles are told of only
 * where they are asked for. One try: the queue is what retries.
 */
const ARGUMENTS: readonly string[] = [
  "--ignore-config",
  "--no-cache-dir",
  "--no-playlist",
  "--skip-download",
  "--write-subs",
  "--sub-langs=all",
  "--socket-timeout=20",
  "--extractor-retries=0",
  "--dump-single-json",
];

/** Its way out, and whom it trusts there. */
const NETWORK_ENV: readonly string[] = [
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "REQUESTS_CA_BUNDLE",
];

/**
 * yt-dlp as a child process: free, and it brings TikTok's own captions. It opens its own connections, to TikTok's page
 * of the post and nothing that a stranger names. No slideshows.
 */
export function createYtDlpSource(options: YtDlpOptions): PostSource {
  const { path, engine = YTDLP_ID, timeoutMs = 60_000 } = options;
  return {
    id: engine,
    callUsd: 0,
    async fetchPost(ref, { signal }) {
      const requestedId = toRequestedId(ref, engine);
      // It knows `/video/` links only; a slideshow has one too.
      const link = toPageLink(ref.link, requestedId).replace("/photo/", "/video/");
      const output = await runProgram(path, [...ARGUMENTS, "--", link], {
        signal,
        timeoutMs,
        maxOutputBytes: MAX_OUTPUT_BYTES,
        env: toProgramEnv(NETWORK_ENV),
      }).catch((error: unknown) => {
        throw error instanceof ProgramError ? toYtDlpError(error, engine) : error;
      });
      return toYtDlpPost(YtDlpInfo.parse(parseOutput(output, engine)), {
        requestedId,
        source: engine,
      });
    },
  };
}

/** Python writes NaN and Infinity into its JSON. */
function parseOutput(output: string, upstream: EngineId): unknown {
  const info = parseUpstreamJson(output);
  if (info !== undefined) return info;
  throw new RetryableError("bad_response", "yt-dlp printed no JSON", { upstream });
}
