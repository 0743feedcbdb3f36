import type { Config } from "@clipmill/config";
import {
  type EngineId,
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

/** Told when a source says that no call is left for so long, in ms. */
export type OnRest = (source: EngineId, forMs: number) => void;

/**
 * Every source that works on this worker, also those that the present recipe leaves out: jobs of an earlier
 * configuration may name them. Only yt-dlp must be listed in POST_SOURCES, since to look for it takes a second.
 */
export async function createSources(
  config: Config,
  files: { storage: Storage; readDetail: (postId: PostId) => Promise<FetchedPost | null> },
  onRest: OnRest,
): Promise<Sources> {
  const engine = toEngineId("tikwm");
  const tikwm = createTikwmSource({
    baseUrl: config.TIKWM_BASE_URL,
    engine,
    timeoutMs: CALL_TIMEOUT_MS,
    onRest: (forMs) => onRest(engine, forMs),
  });
  const clients = [...createTikLiveSources(config, onRest), tikwm];
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

function createTikLiveSources(config: Config, onRest: OnRest) {
  const {
    TIKLIVE_API_KEY: apiKey,
    TIKLIVE_BASE_URL: baseUrl,
    CLIPMILL_SANDBOX_URL: sandboxUrl,
  } = config;
  const create = (engine: EngineId, access: { apiKey: string; baseUrl: string }) =>
    createTikLiveSource({
      ...access,
      engine,
      timeoutMs: CALL_TIMEOUT_MS,
      onRest: (forMs) => onRest(engine, forMs),
    });
  const real = apiKey === undefined ? [] : [create(toEngineId("tiklive"), { apiKey, baseUrl })];
  if (sandboxUrl === undefined) return real;
  const sandbox = { apiKey: "sandbox", baseUrl: `${sandboxUrl}/tiklive` };
  return [...real, create(toEngineId("tiklive", { sandbox: true }), sandbox)];
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
