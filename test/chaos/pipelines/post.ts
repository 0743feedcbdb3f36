import {
  mediaKind,
  POST_KIND,
  postMediaKind,
  type RunnableStage,
  toRunnable,
} from "@clipmill/domain";
import { createPipeline, step } from "@clipmill/pipeline";
import { z } from "zod";
import { defineChaosStage, Made, type Machine } from "./machine.ts";

const Input = z.object({ postId: z.string() });
const Output = Made.extend({ postId: z.string() });

const spec = (name: string, queue: "io" | "gpu" | "llm") =>
  defineChaosStage({ name, queue, input: Input, output: Output }, ({ postId }) => postId);

const fetchMedia = { ...spec("fetch", "io"), produces: [mediaKind, postMediaKind] };
const hear = spec("hear", "gpu");
const answer = spec("answer", "llm");

/** The real pipeline's shape, with simulated machines behind it. */
export const postPipeline = createPipeline(POST_KIND, [
  step(fetchMedia, {
    after: [],
    input: ({ request }) => ({ postId: request.postId ?? "" }),
    onSkip: "end",
  }),
  step(hear, { after: [fetchMedia], input: ({ output }) => output(fetchMedia) ?? null }),
  step(answer, { after: [hear], input: ({ output }) => output(hear) ?? null }),
]);

export type PostKind = "good" | "gone" | "poison";
const PREFIXES: Readonly<Record<PostKind, string>> = { good: "71", gone: "72", poison: "73" };

export function toPostId(kind: PostKind, number: number): string {
  return `${PREFIXES[kind]}${String(number).padStart(17, "0")}`;
}

export function toPostKind(postId: string): PostKind {
  if (postId.startsWith(PREFIXES.gone)) return "gone";
  return postId.startsWith(PREFIXES.poison) ? "poison" : "good";
}

export function createPostStages({ storage, call, make }: Machine): RunnableStage[] {
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
        return { output: { postId, ...make() }, records };
      },
    }),
    toRunnable({
      ...hear,
      async run({ postId }, ctx) {
        await call("hear", postId, ctx);
        // A decoder that takes its whole process with it.
        if (toPostKind(postId) === "poison") process.kill(process.pid, "SIGKILL");
        return { output: { postId, ...make() } };
      },
    }),
    toRunnable({
      ...answer,
      async run({ postId }, ctx) {
        await ctx.pay({ engine: "chaos:model@1", estimateUsd: 0.01 }, async () => {
          await call("answer", postId, ctx);
          return { usd: 0.002 };
        });
        return { output: { postId, ...make() } };
      },
    }),
  ];
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
