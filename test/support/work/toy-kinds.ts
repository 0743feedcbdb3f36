import {
  type ChildSubmission,
  type ClaimedJob,
  defineStage,
  type OutcomeEffects,
  type Outcome,
  type QueueName,
  type Submission,
} from "@clipmill/domain";
import { createPipeline, createPipelines, step } from "@clipmill/pipeline";
import { z } from "zod";
import { toSubmission, toyPost } from "./toy-pipeline.ts";

const Id = z.object({ id: z.string() });

/** A stage keyed by its id. It runs again for a new request if its result is `stale`. */
const spec = (name: string, queue: QueueName) =>
  defineStage({
    name,
    queue,
    input: Id,
    output: Id,
    attempts: 3,
    timeoutMs: 10_000,
    key: ({ id }) => id,
    rerun: ({ end }) => end.state === "done" && end.output.id === "stale",
  });

const list = spec("list", "io");
const tally = spec("tally", "cpu");
const send = spec("send", "llm");
const ask = defineStage({
  ...spec("ask", "gpu"),
  key: ({ id }: { id: string }) => id.toLowerCase(),
});
const bind = spec("bind", "cpu");
const NO_POST = { isAboutPost: false };

/** Lists what is behind its link, submits requests for it, and counts it up. */
const crawl = createPipeline(
  "crawl",
  [
    step(list, { after: [], input: ({ request }) => ({ id: request.link }) }),
    step(tally, { after: [list], input: ({ request }) => ({ id: request.link }) }),
  ],
  NO_POST,
);

/** One step, named by the request's own input: `{ to }`. Without it the plan throws. */
const delivery = createPipeline(
  "delivery",
  [step(send, { after: [], input: ({ request }) => ({ id: toWish(request.input, "to") }) })],
  NO_POST,
);

/** A step for each of `{ words }`; words that differ in their case only are one job. */
const answers = createPipeline(
  "answers",
  [
    step(ask, {
      after: [],
      each: ({ input }) => z.object({ words: z.array(z.string()) }).parse(input).words,
      input: ({ request }, word) => ({ id: `${request.link} ${word}` }),
      onFailure: "warn",
    }),
    step(bind, {
      after: [ask],
      input: ({ outputs }) => ({
        id: Object.entries(outputs(ask))
          .map(([word, { id }]) => `${word}=${id}`)
          .toSorted()
          .join(),
      }),
    }),
  ],
  NO_POST,
);

function toWish(input: unknown, name: string): string {
  return z.record(z.string(), z.string()).parse(input)[name] ?? "";
}

/** Posts, and three kinds that are about none. */
export const toyKinds = createPipelines([toyPost, crawl, delivery, answers]);

/** A request of another kind; `link` is what it is about. */
export function toKind(kind: string, link: string, more: Partial<Submission> = {}): Submission {
  return { ...toSubmission("", more), kind, link, postId: null };
}

export const toCrawl = (link: string, more: Partial<Submission> = {}) =>
  toKind("crawl", link, more);

/** A request that a stage submits: one delivery. */
export function toChild(to: string, more: Partial<ChildSubmission> = {}): ChildSubmission {
  const { link, outputs, recipes, language } = toSubmission(to);
  return {
    kind: "delivery",
    link,
    postId: null,
    outputs,
    recipes,
    language,
    input: { to },
    ...more,
  };
}

export function toChildren(name: string, count: number, more: Partial<ChildSubmission> = {}) {
  return Array.from({ length: count }, (_, i) => toChild(`${name}-${i}`, more));
}

type Effects = Partial<Pick<OutcomeEffects, "submit" | "resolve">>;

/** Done, with what the stage submits and resolves. */
export function toEnd(
  { id, epoch, key }: Pick<ClaimedJob, "id" | "epoch" | "key">,
  effects: Effects = {},
  output: unknown = { id: key },
): Outcome {
  return { id, epoch, kind: "done", output, records: [], calls: [], ...effects };
}

/** Waits for a token. */
export function toWait(
  { id, epoch }: Pick<ClaimedJob, "id" | "epoch">,
  token: string,
  { timeoutMs = 60_000, ...effects }: Effects & { timeoutMs?: number } = {},
): Outcome {
  return { id, epoch, kind: "waiting", token, timeoutMs, records: [], calls: [], ...effects };
}

let next = 0;

/** A link, key or token that no other test uses. */
export function newName(what: string): string {
  return `${what}-${next++}`;
}
