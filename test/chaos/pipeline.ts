import {
  defineStage,
  mediaKind,
  POST_KIND,
  postMediaKind,
  RetryableError,
  type RunnableStage,
  SkipError,
  type StageContext,
  type StageSpec,
  type Storage,
  toRunnable,
} from "@clipmill/domain";
import { createPipeline, createPipelines, step } from "@clipmill/pipeline";
import { z } from "zod";

const Input = z.object({ postId: z.string() });
/** `worker` and `epoch` say who made it: the audit compares them with who held the job. */
const Output = z.object({ postId: z.string(), worker: z.string(), nonce: z.string() });
type In = z.infer<typeof Input>;
type Out = z.infer<typeof Output>;

/** Faults burn attempts here that would take days to meet elsewhere; nothing may die of that. */
const ATTEMPTS = 30;

const spec = (name: string, queue: "io" | "gpu" | "llm"): StageSpec<In, Out> =>
  defineStage({
    name,
    queue,
    input: Input,
    output: Output,
    attempts: ATTEMPTS,
    // Longer than any pause: a zombie must come as far as its write, or the fence is never tried.
    timeoutMs: 60_000,
    key: ({ postId }) => postId,
  });

const fetchMedia = { ...spec("fetch", "io"), produces: [mediaKind, postMediaKind] };
const hear = spec("hear", "gpu");
const answer = spec("answer", "llm");

/** The real pipeline's shape, with simulated machines behind it. */
const postPipeline = createPipeline(POST_KIND, [
  step(fetchMedia, {
    after: [],
    input: ({ request }) => ({ postId: request.postId ?? "" }),
    onSkip: "end",
  }),
  step(hear, { after: [fetchMedia], input: ({ output }) => output(fetchMedia) ?? null }),
  step(answer, { after: [hear], input: ({ output }) => output(hear) ?? null }),
]);

export const chaosPipelines = createPipelines([postPipeline]);

export const STAGE_NAMES = [fetchMedia.name, hear.name, answer.name] as const;

export type PostKind = "good" | "gone" | "poison";
const PREFIXES: Readonly<Record<PostKind, string>> = { good: "71", gone: "72", poison: "73" };

export function toPostId(kind: PostKind, number: number): string {
  return `${PREFIXES[kind]}${String(number).padStart(17, "0")}`;
}

export function toPostKind(postId: string): PostKind {
  if (postId.startsWith(PREFIXES.gone)) return "gone";
  return postId.startsWith(PREFIXES.poison) ? "poison" : "good";
}

export interface ChaosStageDeps {
  upstreamUrl: string;
  storage: Storage;
  workerId: string;
}

export function createChaosStages({
  upstreamUrl,
  storage,
  workerId,
}: ChaosStageDeps): RunnableStage[] {
  const toOutput = (postId: string): Out => ({
    postId,
    worker: workerId,
    nonce: Math.random().toString(36).slice(2),
  });

  async function call(stage: string, postId: string, ctx: StageContext): Promise<Uint8Array> {
    const response = await fetch(`${upstreamUrl}/${stage}/${postId}`, { signal: ctx.signal });
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status === 410) throw new SkipError("gone", "deleted", { upstream: "chaos" });
    if (!response.ok) {
      throw new RetryableError("upstream_unavailable", `the upstream says ${response.status}`, {
        upstream: "chaos",
      });
    }
    return body;
  }

  return [
    toRunnable({
      ...fetchMedia,
      async run({ postId }, ctx) {
        const bytes = await call("fetch", postId, ctx);
        const options = { maxBytes: 1_000_000, signal: ctx.signal };
        const stored = await storage.write("media", once(bytes), options);
        const { sha256, bytes: size } = stored;
        const has = { durationMs: 1_000, hasAudio: true, hasVideo: true };
        const records = [
          mediaKind.record({ sha256, kind: "video", bytes: size, ...has }),
          postMediaKind.record({ postId, mediaSha256: sha256, role: "video", position: 0 }),
        ];
        return { output: toOutput(postId), records };
      },
    }),
    toRunnable({
      ...hear,
      async run({ postId }, ctx) {
        await call("hear", postId, ctx);
        // A decoder that takes its whole process with it.
        if (toPostKind(postId) === "poison") process.kill(process.pid, "SIGKILL");
        return { output: toOutput(postId) };
      },
    }),
    toRunnable({
      ...answer,
      async run({ postId }, ctx) {
        await ctx.pay({ engine: "chaos:model@1", estimateUsd: 0.01 }, async () => {
          await call("answer", postId, ctx);
          return { usd: 0.002 };
        });
        return { output: toOutput(postId) };
      },
    }),
  ];
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
