import type { Recipes, RunnableStage, Submission } from "@clipmill/domain";
import {
  defineStage,
  mediaKind,
  POST_KIND,
  toRunnable,
  transcriptKind,
  type StageContext,
  type StageResult,
} from "@clipmill/domain";
import {
  createPipeline,
  createPipelines,
  hasBetterEngine,
  isAbsenceOver,
  step,
} from "@clipmill/pipeline";
import { z } from "zod";

const Input = z.object({ postId: z.string(), engines: z.array(z.string()).optional() });
const Output = z.object({ postId: z.string(), engine: z.string().optional() });
type Output = z.infer<typeof Output>;

const spec = (name: string, queue: "io" | "gpu" | "llm") =>
  defineStage({
    name,
    queue,
    input: Input,
    output: Output,
    attempts: 3,
    timeoutMs: 10_000,
    key: ({ postId }) => postId,
    produces: [mediaKind, transcriptKind],
    rerun: ({ input: { engines = [] }, end, ...rest }) =>
      end.state === "skipped"
        ? isAbsenceOver(end.code, rest.endedMsAgo)
        : end.output.engine !== undefined &&
          hasBetterEngine({
            ...rest,
            input: { engines },
            end: { state: "done", output: { engine: end.output.engine } },
          }),
  });

const first = spec("first", "io");
const second = spec("second", "gpu");
const third = spec("third", "llm");

/** Three stages in a row on three queues: the shape of the real pipeline without its media. */
export const toyPost = createPipeline(POST_KIND, [
  step(first, {
    after: [],
    input: ({ request }) => ({ postId: request.postId ?? "" }),
    onSkip: "end",
  }),
  step(second, {
    after: [first],
    input: ({ output }) => output(first) ?? null,
    onFailure: "warn",
  }),
  step(third, { after: [second], input: ({ output }) => output(first) ?? null }),
]);

export const toyPipelines = createPipelines([toyPost]);

export type ToyRun = (
  name: string,
  postId: string,
  ctx: StageContext,
) => Promise<StageResult<Output>>;

/** The same three stages, ready to run; `run` decides what they do. Default: nothing. */
export function createToyStages(
  run: ToyRun = async (_name, postId) => ({ output: { postId } }),
): RunnableStage[] {
  return [first, second, third].map((stage) =>
    toRunnable({ ...stage, run: ({ postId }, ctx) => run(stage.name, postId, ctx) }),
  );
}

const RECIPES: Recipes = { source: ["toy"], asr: [], ocr: [], llm: [] };

export function toSubmission(postId: string, more: Partial<Submission> = {}): Submission {
  return {
    tenant: "local",
    link: `https://www.tiktok.com/@toy/video/${postId}`,
    postId,
    outputs: ["summary"],
    recipes: RECIPES,
    lane: "standard",
    deadline: null,
    idempotencyKey: null,
    language: null,
    ...more,
  };
}

let next = 0;

/** A post id that no other test uses. */
export function newPostId(): string {
  return `71${String(Date.now()).padStart(13, "0")}${String(next++).padStart(4, "0")}`;
}

export const silentLog = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child() {
    return silentLog;
  },
};
