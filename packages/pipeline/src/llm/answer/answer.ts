import {
  type ArtifactKind,
  type ArtifactReader,
  type ArtifactRow,
  defineStage,
  type Evidence,
  type EvidenceSource,
  hashJson,
  PostId,
  Sha256,
  type Stage,
  type StageSpec,
  type SummaryProvider,
  type SummaryQuestion,
  toRecipeKey,
  Unread,
} from "@clipmill/domain";
import { z } from "zod";
import { findEngines, tryEngines } from "../../engines/choose-engine.ts";
import { hasBetterEngine, PassedEngines } from "../../engines/rerun.ts";
import { gatherEvidence } from "./gather-evidence.ts";

/** The row that an answer is stored as. `body` is the answer itself. */
export interface AnswerRow<Name extends string, Body> extends ArtifactRow {
  postId: string;
  kind: Name;
  transcriptHash: string | null;
  evidenceHash: string;
  promptVersion: string;
  recipe: string;
  sources: EvidenceSource[];
  body: Body;
}

/**
 * One kind of answer about a post, such as a summary. Each kind is a file in `kinds/`. Its artifact kind has the shape
 * and the limits of the body.
 */
export interface AnswerKind<Name extends string, Body> {
  /** Part of every key, and the row's `kind`. */
  readonly name: Name;
  /** The name of its stage, and so its key in `cost.by_stage` and `timings_ms`. */
  readonly stage: string;
  readonly artifact: ArtifactKind<AnswerRow<Name, Body>>;
  /** Part of every key: after a change of prompt, answers are made again. */
  readonly promptVersion: string;
  toPrompt(evidence: Evidence): Omit<SummaryQuestion, "evidence">;
  ask(
    engine: SummaryProvider,
    question: SummaryQuestion,
    options: { signal: AbortSignal },
  ): Promise<Answered<Body>>;
}

interface Answered<Body> {
  body: Body;
  usd: number;
  inputTokens: number;
  outputTokens: number;
}

const Input = z.object({
  postId: PostId,
  /** Null if the post has no speech: the transcript of a silent post never goes into a prompt. */
  transcriptKey: z.string().nullable(),
  transcriptHash: Sha256.nullable(),
  screenTextKey: z.string().nullable(),
  screenHash: Sha256.nullable(),
  metadataHash: Sha256,
  /** What the post may hold and nobody has read. */
  unread: z.array(Unread).default([]),
  engines: z.array(z.string()).min(1),
});
type Input = z.infer<typeof Input>;

const Output = z.object({ answerKey: z.string(), engine: z.string(), passed: PassedEngines });
type Output = z.infer<typeof Output>;

/** The spec of the stage that makes this kind of answer. */
export function defineAnswerStage<Name extends string, Body>(
  kind: AnswerKind<Name, Body>,
): StageSpec<Input, Output> {
  return defineStage({
    name: kind.stage,
    queue: "llm",
    input: Input,
    output: Output,
    attempts: 4,
    timeoutMs: 120_000,
    key: (input) => toKey(kind, input),
    produces: [kind.artifact],
    rerun: (end) => hasBetterEngine(end),
  });
}

/** Made of all content, the prompt and the models. Not of the counters, which change daily. */
function toKey(
  { name, promptVersion }: { name: string; promptVersion: string },
  { postId, transcriptHash, screenHash, metadataHash, unread, engines }: Input,
): string {
  const content = { postId, transcriptHash, screenHash, metadataHash, ...toUnreadPart(unread) };
  return hashJson({ ...content, engines, kind: name, prompt: promptVersion });
}

/** Left out where nothing is unread: answers of the time before this was part of the key stay valid. */
function toUnreadPart(unread: Input["unread"]): { unread?: string[] } {
  return unread.length === 0 ? {} : { unread: unread.map(({ part, code }) => `${part} ${code}`) };
}

export interface AnswerDeps {
  llm: readonly SummaryProvider[];
  artifacts: ArtifactReader;
}

export function createAnswerStage<Name extends string, Body>(
  kind: AnswerKind<Name, Body>,
  spec: StageSpec<Input, Output>,
  { llm, artifacts }: AnswerDeps,
): Stage<Input, Output> {
  return {
    ...spec,
    async run(input, ctx) {
      const evidence = await gatherEvidence(artifacts, input);
      const question = { ...kind.toPrompt(evidence), evidence };
      const passed: PassedEngines = {};
      const { engine, answered } = await tryEngines(
        findEngines(input.engines, llm),
        async (engine) => {
          const intent = { engine: engine.id, estimateUsd: engine.estimateUsd(question) };
          const call = () => kind.ask(engine, question, { signal: ctx.signal });
          return { engine, answered: await ctx.pay(intent, call) };
        },
        {
          ...ctx,
          // What ends by itself is waited for: the next engine's answer may be far poorer, as a rule's is beside a model's.
          mayPass: ({ entry }) => entry.failover && entry.disposition === "unrecoverable",
          onPass: ({ id }, { code }) => {
            passed[id] = code;
          },
        },
      );
      const { body, inputTokens, outputTokens } = answered;
      const answer = {
        key: hashJson({ request: toKey(kind, input), engine: engine.id }),
        postId: input.postId,
        kind: kind.name,
        transcriptHash: input.transcriptHash,
        evidenceHash: hashJson({
          screen: input.screenHash,
          metadata: input.metadataHash,
          ...toUnreadPart(input.unread),
        }),
        promptVersion: kind.promptVersion,
        recipe: toRecipeKey(input.engines),
        engine: engine.id,
        sources: evidence.sources,
        body,
      };
      const { sources } = evidence;
      ctx.log.info({ engine: engine.id, inputTokens, outputTokens, sources }, "answered");
      return {
        output: { answerKey: answer.key, engine: engine.id, passed },
        records: [kind.artifact.record(answer)],
      };
    },
  };
}
