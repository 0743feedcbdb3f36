import {
  audioKind,
  type ClaimedJob,
  type Engagement,
  hashJson,
  hashPostMetadata,
  hashTranscript,
  judgeSpeech,
  type Media,
  mediaKind,
  type MediaRole,
  type Outcome,
  type Post,
  postKind,
  postMediaKind,
  screenTextKind,
  type Segment,
  sha256,
  type StageRecord,
  summaryKind,
  toRecipeKey,
  type Transcript,
  transcriptKind,
} from "@clipmill/domain";

/** What is in a post's media. */
export interface Clip {
  title: string;
  /** Heard in it; few words make it silent. */
  said: string;
  /** Read in it. */
  shown: readonly string[];
  /** The platform's captions, in the spoken language. */
  captions?: string;
  /** Pictures with a sound track instead of a video. */
  slideCount?: number;
  isRegionLocked?: boolean;
  /** Heard by the last engine of the recipe instead of the first. */
  isFallback?: boolean;
}

const CREATOR = "ada";
const DURATION_MS = 9_000;
const ENGAGEMENT: Engagement = { plays: 1_200, likes: 80, comments: 4, shares: null };
const SUMMARY = {
  tldr: "Three habits make it better.",
  takeaways: ["Start fresh.", "Wait a little.", "Pour slowly."],
  sentiment: "positive",
  cta: "Try it tomorrow.",
} as const;
const DEFAULT_CLIP: Clip = {
  title: "A kitchen habit",
  said: "Take what is fresh, give it some time, and never hurry the last step of all.",
  shown: [],
};

export interface StageResults {
  /** What the real stage of this job would store, without its work: valid output, every row, keys made as it makes them. */
  run(job: Pick<ClaimedJob, "stage" | "input">): Result;
  toDone(job: Pick<ClaimedJob, "id" | "epoch" | "stage" | "input">): Outcome;
}

interface Result {
  output: unknown;
  records: StageRecord[];
}

interface Input {
  url: string;
  postId: string;
  mediaSha256: string;
  engines: [string, ...string[]];
  language: string | null;
  images: string[];
  video: string | null;
  transcriptKey: string | null;
  transcriptHash: string | null;
  screenHash: string | null;
  metadataHash: string;
}

/** Results of the real pipeline's stages, written by hand. `clips` by post id; posts that it lacks speak. */
export function createStageResults(clips: ReadonlyMap<string, Clip>): StageResults {
  const byFile = new Map<string, Clip>();
  for (const [postId, clip] of clips)
    for (const { media } of toFiles(postId, clip)) byFile.set(media.sha256, clip);
  const clipOf = (file: string | null) => byFile.get(file ?? "") ?? DEFAULT_CLIP;

  const stages: Record<string, (input: Input) => Result> = {
    resolve: ({ url }) => ({ output: { postId: toResolved(url) }, records: [] }),
    download: ({ postId, engines }) =>
      toDownloaded(postId, clips.get(postId) ?? DEFAULT_CLIP, engines[0]),
    "prepare-audio": ({ mediaSha256 }) => {
      const durationMs = DURATION_MS;
      const audioSha256 = sha256(`sound of ${mediaSha256}`);
      const audio = {
        mediaSha256,
        recipe: "wav-16k-mono",
        audioSha256,
        bytes: 288_044,
        durationMs,
      };
      return { output: { audioSha256, durationMs }, records: [audioKind.record(audio)] };
    },
    transcribe: ({ mediaSha256, engines, language }) => {
      const { said, isFallback } = clipOf(mediaSha256);
      const engine = (isFallback === true ? engines.at(-1) : undefined) ?? engines[0];
      const key = hashJson({ mediaSha256, engines, language, engine });
      const made = { key, mediaSha256, engine, recipe: toRecipeKey(engines) };
      const transcript = toTranscript(said, { ...made, origin: "speech" });
      const { hash: transcriptHash, verdict } = transcript;
      return {
        output: { transcriptKey: key, transcriptHash, verdict, engine },
        records: [transcriptKind.record(transcript)],
      };
    },
    "read-screen": (input) => {
      const { images, video, engines } = input;
      const lines = [...clipOf(images[0] ?? video).shown];
      const [engine] = engines;
      const [key, hash] = [hashJson({ input, engine }), hashJson(lines)];
      const imagesHash = hashJson({ images, video });
      const screenText = { key, hash, imagesHash, recipe: toRecipeKey(engines), engine, lines };
      return {
        output: { screenTextKey: key, screenHash: hash, engine },
        records: [screenTextKind.record(screenText)],
      };
    },
    summarize: toSummarized,
  };

  const run: StageResults["run"] = ({ stage, input }) => {
    const result = stages[stage]?.(input as Input);
    if (result === undefined) throw new Error(`no stage ${stage}`);
    return result;
  };
  return {
    run,
    toDone: (job) => ({ id: job.id, epoch: job.epoch, kind: "done", ...run(job), calls: [] }),
  };
}

/** Short links of the tests end in the last digits of their post. */
function toResolved(url: string): string {
  return `74500000000000000${/(\d\d)\/?$/.exec(url)?.[1] ?? "99"}`;
}

function toDownloaded(postId: string, clip: Clip, engine: string): Result {
  const isFile = postId.startsWith("file-");
  const post: Post = {
    postId,
    url: isFile ? null : `https://www.tiktok.com/@${CREATOR}/video/${postId}`,
    title: clip.title,
    author: {
      uniqueId: isFile ? null : CREATOR,
      nickname: isFile ? null : "Ada",
      followerCount: isFile ? null : 3_100,
    },
    music: isFile
      ? null
      : { id: "7300000000000000001", title: "Kettle", author: "Spout", original: true },
    region: isFile ? null : "GB",
    durationMs: clip.slideCount === undefined ? DURATION_MS : 0,
    postedAt: isFile ? null : "2026-10-01T07:30:00+00:00",
    source: engine,
  };
  const files = clip.isRegionLocked === true ? [] : toFiles(postId, clip);
  const find = (...roles: MediaRole[]) => files.filter(({ role }) => roles.includes(role));
  const sound = find("video", "audio")[0]?.media.sha256 ?? null;
  const captions = toCaptions(clip, sound, engine);
  return {
    output: {
      postId,
      metadataHash: hashPostMetadata(post),
      sound,
      video: find("video")[0]?.media.sha256 ?? null,
      images: find("cover", "slide").map(({ media }) => media.sha256),
      durationMs: DURATION_MS,
      missing: clip.isRegionLocked === true ? "region_locked" : null,
      captions: captions.map(({ key, hash, language }) => ({
        transcriptKey: key,
        transcriptHash: hash,
        language,
        spoken: true,
      })),
    },
    records: [
      postKind.record({ post, engagement: ENGAGEMENT }),
      ...files.flatMap(({ media, role, position }) => [
        mediaKind.record(media),
        postMediaKind.record({ postId, mediaSha256: media.sha256, role, position }),
      ]),
      ...captions.map((transcript) => transcriptKind.record(transcript)),
    ],
  };
}

/** A video, or the pictures and the sound of a slideshow. */
function toFiles(
  postId: string,
  { slideCount }: Clip,
): { media: Media; role: MediaRole; position: number }[] {
  const toFile = (role: MediaRole, position: number) => {
    const isImage = role === "slide";
    const media: Media = {
      sha256: sha256(`${role} ${position} of ${postId}`),
      kind: isImage ? "image" : role === "audio" ? "audio" : "video",
      bytes: isImage ? 40_000 : 900_000,
      durationMs: isImage ? null : DURATION_MS,
      hasAudio: !isImage,
      hasVideo: role === "video",
    };
    return { media, role, position };
  };
  if (slideCount === undefined) return [toFile("video", 0)];
  const slides = Array.from({ length: slideCount }, (_, position) => toFile("slide", position));
  return [...slides, toFile("audio", 0)];
}

function toCaptions({ captions }: Clip, sound: string | null, source: string): Transcript[] {
  if (captions === undefined || sound === null) return [];
  const engine = `captions:${source}`;
  const key = hashJson({ mediaSha256: sound, captions, engine });
  const made = { key, mediaSha256: sound, recipe: engine, engine };
  return [toTranscript(captions, { ...made, origin: "captions" })];
}

function toTranscript(
  text: string,
  made: Pick<Transcript, "key" | "mediaSha256" | "recipe" | "engine" | "origin">,
): Transcript {
  const segments: Segment[] = text === "" ? [] : [{ startMs: 250, endMs: 8_400, text }];
  return {
    ...made,
    hash: hashTranscript(text, "en"),
    language: "en",
    text,
    segments,
    durationMs: DURATION_MS,
    verdict: judgeSpeech(text, DURATION_MS),
  };
}

function toSummarized({ engines, ...input }: Input): Result {
  const { postId, transcriptHash, screenHash, metadataHash, transcriptKey } = input;
  const [engine] = engines;
  const asked = { postId, transcriptHash, screenHash, metadataHash };
  const key = hashJson({ request: asked, engine });
  const answer = {
    key,
    postId,
    kind: "summary" as const,
    transcriptHash,
    evidenceHash: hashJson({ screen: screenHash, metadata: metadataHash }),
    promptVersion: "summary-1",
    recipe: toRecipeKey(engines),
    engine,
    sources: [
      ...(transcriptKey === null ? [] : ["transcript" as const]),
      ...(screenHash === null ? [] : ["ocr" as const]),
      "metadata" as const,
    ],
    body: { ...SUMMARY, takeaways: [...SUMMARY.takeaways] },
  };
  return { output: { answerKey: key, engine }, records: [summaryKind.record(answer)] };
}
