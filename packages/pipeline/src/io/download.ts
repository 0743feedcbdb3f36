import { stat } from "node:fs/promises";
import {
  ClipmillError,
  defineStage,
  type FetchedPost,
  hashPostMetadata,
  type Media,
  type MediaFetcher,
  type MediaRole,
  type MediaTools,
  PostId,
  type PostMediaLink,
  type PostSource,
  RetryableError,
  Sha256,
  type Stage,
  type StageContext,
  type Storage,
  type StorageKey,
  UnrecoverableError,
} from "@clipmill/domain";
import { z } from "zod";
import { chooseEngine } from "../choose-engine.ts";

const Input = z.object({
  postId: PostId,
  link: z.string().nullable(),
  engines: z.array(z.string()).min(1),
});

const Output = z.object({
  postId: PostId,
  /** The source that was asked. */
  engine: z.string(),
  metadataHash: Sha256,
  /** The file that holds the sound: the video itself, or a slideshow's audio track. Null for a silent post. */
  sound: Sha256.nullable(),
  /** The MP4; null for a slideshow. */
  video: Sha256.nullable(),
  /** Slides in order, or the cover. */
  images: z.array(Sha256),
  durationMs: z.number().int(),
});
export type Downloaded = z.infer<typeof Output>;

/** Fetches the post anew and stores its media: links of the enqueue time would be stale by now. */
export const download = defineStage({
  name: "download",
  queue: "io",
  input: Input,
  output: Output,
  attempts: 5,
  timeoutMs: 300_000,
  key: ({ postId }) => postId,
});

export interface DownloadDeps {
  sources: readonly PostSource[];
  fetcher: MediaFetcher;
  storage: Storage;
  media: MediaTools;
  maxBytes: number;
  maxDurationMs: number;
}

export function createDownload(deps: DownloadDeps): Stage<z.infer<typeof Input>, Downloaded> {
  return {
    ...download,
    async run({ postId, link, engines }, ctx) {
      const source = chooseEngine(engines, deps.sources);
      const ask = () => fetchPost(source, { postId, link }, ctx);
      const { fetched, files } = await fetchFiles(deps, ask, ctx);
      const { post, engagement } = fetched;
      const sound = files.find((file) => file.media.hasAudio && file.role !== "cover");
      const video = files.find((file) => file.role === "video");
      return {
        output: {
          postId,
          engine: source.id,
          metadataHash: hashPostMetadata(post),
          sound: sound?.media.sha256 ?? null,
          video: video?.media.sha256 ?? null,
          images: files
            .filter(({ role }) => role === "slide" || role === "cover")
            .map(({ media }) => media.sha256),
          durationMs: sound?.media.durationMs ?? video?.media.durationMs ?? post.durationMs,
        },
        records: [
          { kind: "post", post, engagement },
          ...files.map(({ media, role, position }) => ({
            kind: "media" as const,
            media,
            links: [{ postId, mediaSha256: media.sha256, role, position } satisfies PostMediaLink],
          })),
        ],
      };
    },
  };
}

interface PostFile {
  media: Media;
  role: MediaRole;
  position: number;
}

async function fetchPost(
  source: PostSource,
  ref: { postId: string; link: string | null },
  ctx: StageContext,
): Promise<FetchedPost> {
  const ask = async () => ({
    usd: source.callUsd,
    fetched: await source.fetchPost(ref, { signal: ctx.signal }),
  });
  if (source.callUsd === 0) return (await ask()).fetched;
  return (await ctx.pay({ engine: source.id, estimateUsd: source.callUsd }, ask)).fetched;
}

/** A link that is stale on arrival is asked for once more; a second refusal is the upstream's last word. */
async function fetchFiles(
  deps: DownloadDeps,
  ask: () => Promise<FetchedPost>,
  ctx: StageContext,
): Promise<{ fetched: FetchedPost; files: PostFile[] }> {
  const fetched = await ask();
  try {
    return { fetched, files: await storeMedia(deps, fetched, ctx) };
  } catch (error) {
    if (!(error instanceof ClipmillError) || error.code !== "stale_link") throw error;
    const again = await ask();
    return { fetched: again, files: await storeMedia(deps, again, ctx) };
  }
}

async function storeMedia(
  deps: DownloadDeps,
  { media }: FetchedPost,
  ctx: StageContext,
): Promise<PostFile[]> {
  switch (media.kind) {
    case "stored":
      return [await describe(deps, `media/${media.sha256}`, "video", 0, ctx)];
    case "video": {
      const video = await fetchFirst(deps, media.renditions, ctx);
      return [video, ...(await fetchCover(deps, media.coverUrl, ctx))];
    }
    case "slideshow": {
      const slides = await Promise.all(
        media.imageUrls.map(async (url, position) =>
          describe(deps, await fetchOne(deps, url, ctx), "slide", position, ctx),
        ),
      );
      if (media.audioUrl === null) return slides;
      return [
        ...slides,
        await describe(deps, await fetchOne(deps, media.audioUrl, ctx), "audio", 0, ctx),
      ];
    }
  }
}

/** The next rendition is tried where one is refused; the last refusal is thrown. */
async function fetchFirst(
  deps: DownloadDeps,
  urls: readonly string[],
  ctx: StageContext,
): Promise<PostFile> {
  let refusal: unknown = new RetryableError("bad_response", "the source names no playable link");
  for (const url of urls) {
    try {
      return await describe(deps, await fetchOne(deps, url, ctx), "video", 0, ctx);
    } catch (error) {
      if (!(error instanceof ClipmillError) || error.code !== "stale_link") throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** A cover only helps to read a silent post: without it the post is poorer, not failed. */
async function fetchCover(
  deps: DownloadDeps,
  url: string | null,
  ctx: StageContext,
): Promise<PostFile[]> {
  if (url === null) return [];
  try {
    return [await describe(deps, await fetchOne(deps, url, ctx), "cover", 0, ctx)];
  } catch (error) {
    if (!(error instanceof ClipmillError) || ctx.signal.aborted) throw error;
    ctx.log.warn({ code: error.code }, "cover not available");
    return [];
  }
}

async function fetchOne(
  deps: DownloadDeps,
  url: string,
  { signal }: StageContext,
): Promise<StorageKey> {
  return (await deps.fetcher.fetch(url, { signal, maxBytes: deps.maxBytes })).key;
}

async function describe(
  { storage, media, maxDurationMs }: DownloadDeps,
  key: StorageKey,
  role: MediaRole,
  position: number,
  { signal }: StageContext,
): Promise<PostFile> {
  await using file = await storage.openLocal(key, { signal });
  const { durationMs, hasAudio, hasVideo } = await media.probe(file.path, { signal });
  if (durationMs > maxDurationMs) {
    throw new UnrecoverableError(
      "too_long",
      `the media lasts ${Math.round(durationMs / 1000)} s; the limit is ${maxDurationMs / 1000} s (MAX_MEDIA_SECONDS)`,
    );
  }
  const { size: bytes } = await stat(file.path);
  const kind = role === "slide" || role === "cover" ? "image" : hasVideo ? "video" : "audio";
  const sha256 = key.slice(key.indexOf("/") + 1);
  return {
    media: {
      sha256,
      kind,
      bytes,
      durationMs: kind === "image" ? null : durationMs,
      hasAudio,
      hasVideo,
    },
    role: role === "video" && kind === "audio" ? "audio" : role,
    position,
  };
}
