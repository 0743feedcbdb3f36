import {
  type ClipmillError,
  type FetchedPost,
  type PostRef,
  type PostSource,
  SkipError,
  type StageContext,
} from "@clipmill/domain";
import { findEngines, tryEngines } from "../../engines/choose-engine.ts";
import { toPaidSource } from "./paid-source.ts";
import { isRefusal, type PostMediaDeps } from "./post-file.ts";
import { storeMedia, type StoredMedia } from "./post-media.ts";

export interface FetchPostDeps extends PostMediaDeps {
  sources: readonly PostSource[];
  /** What to do with a video that the CDN does not serve in our region. */
  regionLock: RegionLock;
}

/**
 * `metadata`: go on without the video. `proxy`: fetch it through a proxy in the post's region; if that fails, end the
 * request as `region_locked`. `fail`: end the request as `region_locked` at once.
 */
export type RegionLock = "metadata" | "proxy" | "fail";

/** See `fetchPost`. */
const LOCKED_FROM_ATTEMPT = 2;

/** A post, and those of its media files that are in storage now. */
export interface FetchedFiles extends StoredMedia {
  fetched: FetchedPost;
  /** Why there is no media; null if there is. */
  missing: "region_locked" | null;
}

/**
 * Fetches the post and stores its media, from the first source of the recipe that can. If the CDN refuses fresh links
 * twice, from every source, the video counts as locked in this region: the CDN has no other answer for it. But it
 * answers the same when it blocks us for a moment, so only the second attempt or a later one may conclude that.
 */
export async function fetchPost(
  deps: FetchPostDeps,
  { engines, ...ref }: PostRef & { engines: readonly string[] },
  ctx: StageContext,
): Promise<FetchedFiles> {
  let refused: FetchedPost | null = null;
  try {
    return await tryEngines(
      findEngines(engines, deps.sources),
      async (engine) => {
        const source = toPaidSource(engine, ctx);
        const first = await source.fetchPost(ref, { signal: ctx.signal });
        const stored = await orNullIfRefused(storeMedia(deps, first, ctx));
        if (stored !== null) return { fetched: first, ...stored, missing: null };
        // The source may have answered with a link that had expired already; a second answer has a fresh one.
        const fetched = await source.fetchPost(ref, { signal: ctx.signal });
        refused = fetched;
        return { fetched, ...(await storeMedia(deps, fetched, ctx)), missing: null };
      },
      ctx,
    );
  } catch (error) {
    if (refused === null || !isWhollyRefused(error) || ctx.attempt < LOCKED_FROM_ATTEMPT)
      throw error;
    return await handleRegionLock(deps, refused, ctx, error);
  }
}

/** A slideshow counts as locked only if none of its pictures was served. */
function isWhollyRefused(error: unknown): error is ClipmillError {
  return isRefusal(error) && (error.details["served"] ?? 0) === 0;
}

async function orNullIfRefused<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

async function handleRegionLock(
  deps: FetchPostDeps,
  fetched: FetchedPost,
  ctx: StageContext,
  cause: ClipmillError,
): Promise<FetchedFiles> {
  const { region } = fetched.post;
  ctx.log.info({ region, regionLock: deps.regionLock }, "media refused in this region");
  if (deps.regionLock === "metadata")
    return { fetched, files: [], unread: [], missing: "region_locked" };
  if (deps.regionLock === "proxy" && region !== null) {
    const stored = await orNullIfRefused(storeMedia(deps, fetched, ctx, { proxyCountry: region }));
    if (stored !== null) return { fetched, ...stored, missing: null };
  }
  throw new SkipError("region_locked", "the video is not served in this region", {
    cause,
    details: { region },
  });
}
