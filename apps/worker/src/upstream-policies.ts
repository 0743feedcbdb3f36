import { hostname } from "node:os";
import type { Config } from "@clipmill/config";
import {
  type CaptionReader,
  type EngineId,
  isSimulated,
  type MediaFetcher,
  sha256,
  type UpstreamPolicy,
  type UpstreamRate,
  type Upstreams,
} from "@clipmill/domain";
import type { StageDeps } from "@clipmill/pipeline";

/** A call that cannot go within this gives its slot to other work. */
const MAX_WAIT_MS = 2_000;
/** The post's detail has been paid for when its media is fetched, so that waits longer, also for other downloads. */
const MEDIA_MAX_WAIT_MS = 60_000;

/** tikwm allows one call a second and no more than that. */
const TIKWM_RATE: UpstreamRate = { calls: 1, windowMs: 1_250, burst: 0.2 };

/** What is known of one kind of upstream: its limit, and who is limited. Null: the machine's address is. */
interface Limit {
  rate: UpstreamRate | null;
  credential: string | null;
}

/** The engines that are other people's machines. What runs here needs no gate. */
const LIMITS: Readonly<Record<string, (config: Config) => Limit>> = {
  tiklive: (config) => ({
    rate: perMinute(config.TIKLIVE_RATE_PER_MINUTE, config.TIKLIVE_BURST),
    credential: config.TIKLIVE_API_KEY ?? null,
  }),
  tikwm: () => ({ rate: TIKWM_RATE, credential: null }),
  ytdlp: () => ({ rate: null, credential: null }),
  openai: (config) => ({
    rate: perMinute(config.ASR_RATE_PER_MINUTE),
    credential: config.ASR_API_KEY ?? config.ASR_BASE_URL ?? null,
  }),
  claude: (config) => ({
    rate: perMinute(config.LLM_RATE_PER_MINUTE),
    credential: config.ANTHROPIC_API_KEY ?? null,
  }),
};

const DEFAULT_BURST = 3;

function perMinute(calls: number | undefined, burst = DEFAULT_BURST): UpstreamRate | null {
  return calls === undefined ? null : { calls, windowMs: 60_000, burst };
}

/** By engine id, and `cdn` and `tiktok` for what TikTok's own servers are asked. */
export function toUpstreamPolicies(
  config: Config,
  engines: readonly EngineId[],
): Record<string, UpstreamPolicy> {
  const policies: Record<string, UpstreamPolicy> = {};
  for (const engine of engines) {
    const limit = LIMITS[/^[^:@]*/.exec(engine)?.[0] ?? ""]?.(config);
    if (limit === undefined) continue;
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

/** Media, captions and short links through their gates. Engines pass theirs in `ctx.pay`. */
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
