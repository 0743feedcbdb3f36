import { prepareAudio } from "./cpu/prepare-audio.ts";
import { readScreen } from "./cpu/read-screen.ts";
import { transcribe } from "./gpu/transcribe.ts";
import { download } from "./io/download.ts";
import { resolve } from "./io/resolve.ts";
import { summarize } from "./llm/summarize.ts";
import { createPlanner, step } from "./planner.ts";

/**
 * What happens to a post, in order. A step starts when those named in `after` are settled; `input` builds its input
 * from what they stored, or says with null that this post does not need it.
 *
 *   resolve → download → prepare-audio → transcribe ─ speech ──────────────→ summarize
 *   (short links only)          └ no sound ┴───────── silent → read-screen ─────┘
 */
export const planRequest = createPlanner([
  step(resolve, {
    after: [],
    input: ({ request }) => (request.postId === null ? { url: request.link } : null),
    onSkip: "end",
  }),
  step(download, {
    after: ["resolve"],
    input: ({ request, output }) => ({
      postId: output(resolve)?.postId ?? request.postId ?? "",
      link: request.link,
      engines: [...request.recipes.source],
    }),
    onSkip: "end",
  }),
  step(prepareAudio, {
    after: ["download"],
    input: ({ output }) => {
      const post = output(download);
      return post?.sound == null ? null : { mediaSha256: post.sound, durationMs: post.durationMs };
    },
  }),
  step(transcribe, {
    after: ["prepare-audio"],
    input: ({ request, output }) => {
      const audio = output(prepareAudio);
      const sound = output(download)?.sound;
      if (audio === undefined || sound == null) return null;
      return {
        mediaSha256: sound,
        ...audio,
        engines: [...request.recipes.asr],
        language: request.language,
      };
    },
  }),
  step(readScreen, {
    after: ["download", "transcribe"],
    input: ({ request, output }) => {
      const post = output(download);
      if (post === undefined || output(transcribe)?.verdict === "speech") return null;
      if (!request.outputs.includes("summary")) return null;
      return {
        images: post.images,
        video: post.video,
        durationMs: post.durationMs,
        engines: [...request.recipes.ocr],
      };
    },
    onFailure: "warn",
  }),
  step(summarize, {
    after: ["transcribe", "read-screen"],
    input: ({ request, output }) => {
      const post = output(download);
      if (post === undefined || !request.outputs.includes("summary")) return null;
      const heard = output(transcribe);
      const speech = heard?.verdict === "speech" ? heard : undefined;
      const screen = output(readScreen);
      return {
        postId: post.postId,
        transcriptKey: speech?.transcriptKey ?? null,
        transcriptHash: speech?.transcriptHash ?? null,
        screenTextKey: screen?.screenTextKey ?? null,
        screenHash: screen?.screenHash ?? null,
        metadataHash: post.metadataHash,
        engines: [...request.recipes.llm],
      };
    },
  }),
]);
