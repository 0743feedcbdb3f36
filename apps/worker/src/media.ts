import { basename, dirname, join } from "node:path";
import { type Config, toStorageSettings } from "@clipmill/config";
import { isPageHost } from "@clipmill/domain";
import type { StageDeps } from "@clipmill/pipeline";
import {
  createCaptionReader,
  createCdnFetcher,
  createImportStore,
  createLinkResolver,
  createMediaTools,
  createSafeHttp,
  createStorage,
  isCdnHost,
  type OnHoldOff,
  type Turns,
} from "@clipmill/providers";
import { createSources } from "./sources.ts";

export type WorkerMedia = Pick<
  StageDeps,
  | "sources"
  | "captions"
  | "regionLock"
  | "fetcher"
  | "storage"
  | "media"
  | "links"
  | "maxBytes"
  | "maxDurationMs"
  | "maxSlides"
  | "maxSlideBytes"
> & { close(): Promise<void> };

/** Of a page whose address is all that we want, redirects included; less than its stage may take. */
const PAGE_WITHIN_MS = 25_000;

/** Everything that fetches, stores and decodes media on this worker. ffmpeg runs when its turn comes. */
export async function createMedia(
  config: Config,
  turns: Turns,
  onHoldOff: OnHoldOff = () => {},
): Promise<WorkerMedia> {
  const directory = join(config.CLIPMILL_HOME, "media");
  const storage = await createStorage(toStorageSettings(config));
  const sandboxUrl = config.CLIPMILL_SANDBOX_URL;
  const loopback = sandboxUrl === undefined ? {} : { allowLoopback: new URL(sandboxUrl).origin };
  const cdn = createSafeHttp({ allowHost: isCdnHost, upstream: "cdn", ...loopback });
  const pages = createSafeHttp({
    allowHost: isPageHost,
    upstream: "tiktok",
    totalTimeoutMs: PAGE_WITHIN_MS,
    ...loopback,
  });
  const imports = createImportStore({ directory });
  const sources = await createSources(config, { storage, readDetail: imports.find }, onHoldOff);
  return {
    sources: sources.all,
    captions: createCaptionReader({ http: cdn }),
    regionLock: config.REGION_LOCK,
    fetcher: createCdnFetcher({ http: cdn, storage, proxies: config.PROXIES }),
    storage,
    media: createMediaTools({
      ffmpegPath: config.FFMPEG_PATH,
      ffprobePath: toFfprobe(config.FFMPEG_PATH),
      maxSeconds: config.MAX_MEDIA_SECONDS,
      turns,
    }),
    links: createLinkResolver({ http: pages, ...(sandboxUrl === undefined ? {} : { sandboxUrl }) }),
    maxBytes: config.MAX_MEDIA_BYTES,
    maxDurationMs: config.MAX_MEDIA_SECONDS * 1_000,
    maxSlides: config.MAX_SLIDES,
    maxSlideBytes: config.MAX_SLIDE_BYTES,
    async close() {
      await Promise.all([cdn.close(), pages.close(), sources.close()]);
    },
  };
}

function toFfprobe(ffmpegPath: string): string {
  return basename(ffmpegPath) === ffmpegPath ? "ffprobe" : join(dirname(ffmpegPath), "ffprobe");
}
