import { hostname } from "node:os";
import type { Config } from "@clipmill/config";
import {
  type CaptionReader,
  type EngineId,
  isSimulated,
  type MediaFetcher,
  sha256,
  type UpstreamPolicy,
  type Upstreams,
} from "@clipmill/domain";
import type { StageDeps } from "@clipmill/pipeline";
import { type Catalog, findLimit } from "@clipmill/providers";

/** A call that cannot go within this gives its slot to other work. */
const MAX_WAIT_MS = 2_000;
/** The post's detail has been paid for when its media is fetched, so that waits longer, also for other downloads. */
const MEDIA_MAX_WAIT_MS = 60_000;

/**
 * By engine id, for engines that are other people's machines; and `cdn` and `tiktok` for what TikTok's own servers are asked. `catalog`:
 * that of `engines`; default: of all that there are.
 */
export function toUpstreamPolicies(
  config: Config,
  engines: readonly EngineId[],
  catalog?: Catalog,
): Record<string, UpstreamPolicy> {
  const policies: Record<string, UpstreamPolicy> = {};
  for (const engine of engines) {
    const limit = findLimit(config, engine, catalog);
    if (limit === null) continue;
    policies[engine] = {
      id: toId(engine, limit.credential),
      rate: isSimulated(engine) ? null : limit.rate,
      maxInFlight: config.UPSTREAM_IN_FLIGHT,
      maxWaitMs: MAX_WAIT_MS,
    };
  }
  // The queue's concurrency does not bound these: a slideshow alone has dozens of pictures.
  const unrated = { rate: null, maxInFlight: config.UPSTREAM_IN_FLIGHT };
  policies["cdn"] = { ...unrated, id: toId("cdn", null), maxWaitMs: MEDIA_MAX_WAIT_MS };
  policies["tiktok"] = { ...unrated, id: toId("tiktok", null), maxWaitMs: MAX_WAIT_MS };
  return policies;
}

/** The hash keeps the credential out of the table; without one the machine stands for its address. */
function toId(upstream: string, credential: string | null): string {
  return `${upstream}#${sha256(credential ?? `machine ${hostname()}`).slice(0, 8)}`;
}

/** Media, captions and short links through their limiters. Engines pass theirs in `ctx.pay`. */
export function withUpstreams<D extends Pick<StageDeps, "fetcher" | "captions" | "links">>(
  deps: D,
  upstreams: Pick<Upstreams, "call">,
): D {
  const fetch: MediaFetcher["fetch"] = (url, options) =>
    upstreams.call("cdn", () => deps.fetcher.fetch(url, options), options);
  const readCaptions: CaptionReader["readCaptions"] = (captions, options) => {
    const read = () => deps.captions.readCaptions(captions, options);
    return "url" in captions.content ? upstreams.call("cdn", read, options) : read();
  };
  return {
    ...deps,
    fetcher: { ...deps.fetcher, fetch },
    captions: { ...deps.captions, readCaptions },
    links: {
      ...deps.links,
      resolve: (url, options) =>
        upstreams.call("tiktok", () => deps.links.resolve(url, options), options),
    },
  };
}
