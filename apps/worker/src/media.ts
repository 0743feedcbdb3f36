import { basename, dirname, join } from "node:path";
import type { Config } from "@clipmill/config";
import { isSimulated, type PostSource, toEngineId, UnrecoverableError } from "@clipmill/domain";
import type { StageDeps } from "@clipmill/pipeline";
import {
  createCdnFetcher,
  createFileSource,
  createFileStorage,
  createImportStore,
  createLinkResolver,
  createMediaTools,
  createSafeHttp,
  createTikLiveSource,
  isCdnHost,
} from "@clipmill/providers";

export type WorkerMedia = Pick<
  StageDeps,
  "sources" | "fetcher" | "storage" | "media" | "links" | "maxBytes" | "maxDurationMs"
> & { close(): Promise<void> };

const DETAIL_TIMEOUT_MS = 30_000;

/** Everything that fetches, stores and decodes media on this worker. */
export async function createMedia(config: Config): Promise<WorkerMedia> {
  const directory = join(config.CLIPMILL_HOME, "media");
  const storage = await createFileStorage({ directory });
  const sandboxUrl = config.CLIPMILL_SANDBOX_URL;
  const loopback = sandboxUrl === undefined ? {} : { allowLoopback: new URL(sandboxUrl).origin };
  const cdn = createSafeHttp({ allowHost: isCdnHost, upstream: "cdn", ...loopback });
  const pages = createSafeHttp({ allowHost: isCdnHost, upstream: "tiktok", ...loopback });
  const tiklive = createTikLiveSources(config);
  const imports = createImportStore({ directory });
  const file = createFileSource({ storage, readDetail: imports.find });
  const decodesOwnOnly = config.CLIPMILL_FFMPEG_BUNDLED && !config.ALLOW_BUNDLED_FFMPEG;
  return {
    sources: [...tiklive, file].map((source) =>
      decodesOwnOnly && !isSimulated(source.id) ? toRefusing(source) : source,
    ),
    fetcher: createCdnFetcher({ http: cdn, storage }),
    storage,
    media: createMediaTools({
      ffmpegPath: config.FFMPEG_PATH,
      ffprobePath: toFfprobe(config.FFMPEG_PATH),
      maxSeconds: config.MAX_MEDIA_SECONDS,
    }),
    links: createLinkResolver({ http: pages, ...(sandboxUrl === undefined ? {} : { sandboxUrl }) }),
    maxBytes: config.MAX_MEDIA_BYTES,
    maxDurationMs: config.MAX_MEDIA_SECONDS * 1_000,
    async close() {
      await Promise.all([cdn.close(), pages.close(), ...tiklive.map((source) => source.close())]);
    },
  };
}

function createTikLiveSources(config: Config): (PostSource & { close(): Promise<void> })[] {
  const {
    TIKLIVE_API_KEY: apiKey,
    TIKLIVE_BASE_URL: baseUrl,
    CLIPMILL_SANDBOX_URL: sandboxUrl,
  } = config;
  const timeoutMs = DETAIL_TIMEOUT_MS;
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

function toFfprobe(ffmpegPath: string): string {
  return basename(ffmpegPath) === ffmpegPath ? "ffprobe" : join(dirname(ffmpegPath), "ffprobe");
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
