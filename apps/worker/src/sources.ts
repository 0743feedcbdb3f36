import type { Config } from "@clipmill/config";
import {
  isSimulated,
  type PostId,
  type FetchedPost,
  type PostSource,
  type Storage,
  toEngineId,
  UnrecoverableError,
} from "@clipmill/domain";
import {
  createFileSource,
  createTikLiveSource,
  createTikwmSource,
  createYtDlpSource,
  findYtDlp,
} from "@clipmill/providers";

/** Of one call; the design gives the detail 30 s. */
const CALL_TIMEOUT_MS = 30_000;

export interface Sources {
  all: PostSource[];
  close(): Promise<void>;
}

/**
 * Every source that works on this worker, also those that the present recipe leaves out: jobs of an earlier
 * configuration may name them. Only yt-dlp must be listed in POST_SOURCES, since to look for it takes a second.
 */
export async function createSources(
  config: Config,
  files: { storage: Storage; readDetail: (postId: PostId) => Promise<FetchedPost | null> },
): Promise<Sources> {
  const timeoutMs = CALL_TIMEOUT_MS;
  const tikwm = createTikwmSource({ baseUrl: config.TIKWM_BASE_URL, timeoutMs });
  const clients = [...createTikLiveSources(config), tikwm];
  const ytDlp = config.POST_SOURCES.includes("ytdlp") ? await findYtDlp(config.YTDLP_PATH) : null;
  const all = [
    ...clients,
    ...(ytDlp === null ? [] : [createYtDlpSource({ path: ytDlp.path })]),
    createFileSource(files),
  ];
  const decodesOwnOnly = config.CLIPMILL_FFMPEG_BUNDLED && !config.ALLOW_BUNDLED_FFMPEG;
  return {
    all: all.map((source) =>
      decodesOwnOnly && !isSimulated(source.id) ? toRefusing(source) : source,
    ),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

function createTikLiveSources(config: Config) {
  const {
    TIKLIVE_API_KEY: apiKey,
    TIKLIVE_BASE_URL: baseUrl,
    CLIPMILL_SANDBOX_URL: sandboxUrl,
  } = config;
  const timeoutMs = CALL_TIMEOUT_MS;
  const real =
    apiKey === undefined
      ? []
      : [createTikLiveSource({ apiKey, baseUrl, engine: toEngineId("tiklive"), timeoutMs })];
  if (sandboxUrl === undefined) return real;
  const engine = toEngineId("tiklive", { sandbox: true });
  return [
    ...real,
    createTikLiveSource({ apiKey: "sandbox", baseUrl: `${sandboxUrl}/tiklive`, engine, timeoutMs }),
  ];
}

/** The bundled ffmpeg is years old: it decodes the sandbox's clips, not what strangers made. */
function toRefusing(source: PostSource): PostSource {
  return {
    ...source,
    callUsd: 0,
    fetchPost() {
      return Promise.reject(
        new UnrecoverableError(
          "unsupported",
          "the bundled ffmpeg is for the demo's own clips: install ffmpeg, or set ALLOW_BUNDLED_FFMPEG=1",
        ),
      );
    },
  };
}
