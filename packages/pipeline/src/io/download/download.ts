import {
  type CaptionReader,
  CaptionsOutputs,
  defineStage,
  FILE_SOURCE,
  hashPostMetadata,
  mediaKind,
  PostId,
  postKind,
  postMediaKind,
  Sha256,
  type Stage,
  type StageContext,
  toAwemeId,
  toOrigin,
  transcriptKind,
  Unread,
} from "@clipmill/domain";
import { z } from "zod";
import { type FetchedFiles, fetchPost, type FetchPostDeps } from "./fetch-post.ts";
import { isAbsenceOver } from "../../engines/rerun.ts";
import { type CaptionTranscript, readPostCaptions } from "./post-captions.ts";

const Input = z.object({
  postId: PostId,
  link: z.string().nullable(),
  engines: z.array(z.string()).min(1),
});

const Output = z.object({
  postId: PostId,
  metadataHash: Sha256,
  /** The file that holds the sound: the video itself, or a slideshow's audio track. Null for a silent post. */
  sound: Sha256.nullable(),
  /** The MP4; null for a slideshow. */
  video: Sha256.nullable(),
  /** Slides in order, or the cover. */
  images: z.array(Sha256),
  durationMs: z.number().int(),
  /** Why there is no media although the request goes on; null if there is media. */
  missing: z.enum(["region_locked"]).nullable().default(null),
  /** Parts of the post that are there and were left out. */
  unread: z.array(Unread).default([]),
  /** Transcripts made from the platform's captions. */
  captions: CaptionsOutputs.default([]),
});
export type Downloaded = z.infer<typeof Output>;

/** After the id of a post that the sandbox stands in for. */
export const SANDBOX_SUFFIX = "@sandbox";

/**
 * What the sandbox or a user's file says about a post is no answer about the real one. Sources of real posts share a
 * result: it is the same post, whoever serves it.
 */
function toDownloadKey({ postId, engines }: z.infer<typeof Input>): string {
  switch (toOrigin(engines)) {
    case "sandbox":
      return `${postId}${SANDBOX_SUFFIX}`;
    case "file":
      return toAwemeId(postId) === null ? postId : `${postId}@${FILE_SOURCE}`;
    case "tiktok":
      return postId;
  }
}

/** Fetches the post again and stores its media: links from when the request was accepted would have expired by now. */
export const download = defineStage({
  name: "download",
  queue: "io",
  input: Input,
  output: Output,
  attempts: 5,
  timeoutMs: 300_000,
  key: toDownloadKey,
  produces: [postKind, mediaKind, postMediaKind, transcriptKind],
  rerun: ({ end, endedMsAgo, input, asked }) =>
    isAbsenceOver(end.state === "done" ? end.output.missing : end.code, endedMsAgo, {
      askedSources: asked?.engines ?? input.engines,
      sources: input.engines,
    }),
});

export interface DownloadDeps extends FetchPostDeps {
  captions: CaptionReader;
}

export function createDownload(deps: DownloadDeps): Stage<z.infer<typeof Input>, Downloaded> {
  return {
    ...download,
    async run(input, ctx) {
      const { postId } = input;
      const got = await fetchPost(deps, input, ctx);
      const { files, missing, unread } = got;
      const { post, engagement } = got.fetched;
      const sound = files.find((file) => file.media.hasAudio && file.role !== "cover");
      const video = files.find((file) => file.role === "video");
      const captions = await readCaptions(deps, got, ctx);
      return {
        output: {
          postId,
          metadataHash: hashPostMetadata(post),
          sound: sound?.media.sha256 ?? null,
          video: video?.media.sha256 ?? null,
          images: files
            .filter(({ role }) => role === "slide" || role === "cover")
            .map(({ media }) => media.sha256),
          durationMs: sound?.media.durationMs ?? video?.media.durationMs ?? post.durationMs,
          missing,
          unread,
          captions: captions.map(({ transcript, spoken }) => ({
            transcriptKey: transcript.key,
            transcriptHash: transcript.hash,
            language: transcript.language,
            spoken,
          })),
        },
        records: [
          postKind.record({ post, engagement }),
          ...files.flatMap(({ media, role, position }) => [
            mediaKind.record(media),
            postMediaKind.record({ postId, mediaSha256: media.sha256, role, position }),
          ]),
          ...captions.map(({ transcript }) => transcriptKind.record(transcript)),
        ],
      };
    },
  };
}

/** Without sound there is no speech, so captions are not read. */
async function readCaptions(
  deps: DownloadDeps,
  { fetched, files }: FetchedFiles,
  ctx: StageContext,
): Promise<CaptionTranscript[]> {
  const sound = files.find((file) => file.media.hasAudio && file.role !== "cover");
  if (sound === undefined || fetched.captions.length === 0) return [];
  const { sha256: mediaSha256, durationMs } = sound.media;
  const { captions, post } = fetched;
  return await readPostCaptions(
    deps.captions,
    { captions, mediaSha256, durationMs: durationMs ?? post.durationMs, source: post.source },
    ctx,
  );
}
