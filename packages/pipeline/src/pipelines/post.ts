import {
  chooseCaptions,
  ERROR_CODES,
  type ErrorCode,
  POST_KIND,
  screenTextKind,
  summaryKind,
  toArtifactKeys,
  toOrigin,
  transcriptKind,
  type Unread,
} from "@clipmill/domain";
import { prepareAudio } from "../cpu/prepare-audio.ts";
import { readScreen } from "../cpu/read-screen.ts";
import { transcribe } from "../gpu/transcribe.ts";
import { download } from "../io/download/download.ts";
import { resolve } from "../io/resolve.ts";
import { summarize } from "../llm/answer/kinds/summary.ts";
import { createPipeline, type Progress, step } from "../planner.ts";

/**
 * What happens to a post, in order. A step starts when those named in `after` have ended. `input` makes its input from
 * their outputs, or returns null if this post does not need the step.
 *
 *   resolve → download → prepare-audio → transcribe ─ speech ──────────────→ summarize
 *   (short links only) ├ captions of the speech ──────────────────────────────┤
 *                      └ no sound ──────────┴───────── silent → read-screen ──┘
 */
const STEPS = [
  step(resolve, {
    after: [],
    input: ({ request: { postId, link, recipes } }) => {
      if (postId !== null) return null;
      return toOrigin(recipes.source) === "sandbox"
        ? { url: link, simulated: true }
        : { url: link };
    },
    onSkip: "end",
  }),
  step(download, {
    after: [resolve],
    input: ({ request, output }) => ({
      postId: output(resolve)?.postId ?? request.postId ?? "",
      link: request.link,
      engines: [...request.recipes.source],
    }),
    onSkip: "end",
    warning: ({ missing, unread }) =>
      missing === null
        ? unread
        : { code: missing, message: "the video is not served in this region" },
    failure: ({ unread }, { outputs }) =>
      outputs.includes("summary") ? null : (unread.find(({ part }) => part === "sound") ?? null),
  }),
  step(prepareAudio, {
    after: [download],
    input: (progress) => {
      const post = progress.output(download);
      if (post?.sound == null || findCaptions(progress) !== undefined) return null;
      return { mediaSha256: post.sound };
    },
    warning: ({ unread }) => unread,
    // For a summary the screen is still read.
    failure: ({ unread }, { outputs }) => (outputs.includes("summary") ? null : unread),
  }),
  step(transcribe, {
    after: [prepareAudio],
    input: ({ request, output }) => {
      const audio = output(prepareAudio);
      const sound = output(download)?.sound;
      if (audio?.audioSha256 == null || sound == null) return null;
      return {
        mediaSha256: sound,
        audioSha256: audio.audioSha256,
        durationMs: audio.durationMs,
        engines: [...request.recipes.asr],
        language: request.language,
      };
    },
  }),
  step(readScreen, {
    after: [download, transcribe],
    input: (progress) => {
      const { request, output } = progress;
      const post = output(download);
      if (post === undefined || post.missing !== null) return null;
      if (findSpeech(progress) !== undefined || !request.outputs.includes("summary")) return null;
      return {
        images: post.images,
        video: post.video,
        durationMs: post.durationMs,
        engines: [...request.recipes.ocr],
      };
    },
    onFailure: "warn",
    warning: ({ unread }) => unread,
  }),
  step(summarize, {
    after: [transcribe, readScreen],
    input: (progress) => {
      const { request, output } = progress;
      const post = output(download);
      if (post === undefined || !request.outputs.includes("summary")) return null;
      const speech = findSpeech(progress);
      const screen = output(readScreen);
      return {
        postId: post.postId,
        transcriptKey: speech?.transcriptKey ?? null,
        transcriptHash: speech?.transcriptHash ?? null,
        screenTextKey: screen?.screenTextKey ?? null,
        screenHash: screen?.screenHash ?? null,
        metadataHash: post.metadataHash,
        unread: findUnread(progress),
        engines: [...request.recipes.llm],
      };
    },
  }),
];

/**
 * Captions to use instead of recognition. Undefined if there are none, or if the caller asked for fresh recognition.
 */
function findCaptions({ request, output }: Progress) {
  if (request.fresh) return undefined;
  return chooseCaptions(output(download)?.captions ?? [], request.language);
}

/** The transcript that goes into prompts: captions, or a transcript with speech. */
function findSpeech(
  progress: Progress,
): { transcriptKey: string; transcriptHash: string } | undefined {
  const heard = progress.output(transcribe);
  return findCaptions(progress) ?? (heard?.verdict === "speech" ? heard : undefined);
}

/** Facts about a post: it has nothing of that kind, so nothing was left unread. */
const NONE_THERE: readonly ErrorCode[] = ["no_audio", "no_speech", "no_pictures"];

/** What the post holds, or may hold, and nobody has read. An answer says so, instead of saying that there is none. */
function findUnread(progress: Progress): Unread[] {
  if (findSpeech(progress) !== undefined) return [];
  const { missing = null, video = null } = progress.output(download) ?? {};
  const screen = missing === null && video === null ? "pictures" : "video";
  const heard = progress.output(prepareAudio)?.unread ?? null;
  return [
    ...(progress.output(download)?.unread ?? []),
    ...(heard === null ? [] : [heard]),
    ...toGap("sound", missing ?? progress.gap(prepareAudio) ?? progress.gap(transcribe)),
    ...toGap(screen, missing ?? progress.gap(readScreen)),
    ...(progress.output(readScreen)?.unread ?? []),
  ];
}

function toGap(part: Unread["part"], code: ErrorCode | null): Unread[] {
  if (code === null || NONE_THERE.includes(code)) return [];
  return [{ part, code, message: ERROR_CODES[code].title }];
}

export const postPipeline = createPipeline(POST_KIND, STEPS, {
  artifacts: (progress) => {
    const { output } = progress;
    // A silent transcript is kept as well: it shows that recognition has run.
    const words = findCaptions(progress) ?? output(transcribe);
    return toArtifactKeys([
      { kind: transcriptKind, key: words?.transcriptKey },
      { kind: screenTextKind, key: output(readScreen)?.screenTextKey ?? undefined },
      { kind: summaryKind, key: output(summarize)?.answerKey },
    ]);
  },
});
