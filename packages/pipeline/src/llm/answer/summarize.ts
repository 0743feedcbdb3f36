import {
  type ArtifactReader,
  defineStage,
  type Evidence,
  type EvidenceSource,
  hashJson,
  PostId,
  RetryableError,
  screenTextKind,
  Sha256,
  type Stage,
  type SummaryAnswer,
  summaryKind,
  type SummaryProvider,
  toRecipeKey,
  transcriptKind,
} from "@clipmill/domain";
import { z } from "zod";
import { chooseEngine } from "../../engines/choose-engine.ts";
import { hasBetterEngine } from "../../engines/rerun.ts";
import { SUMMARY_PROMPT_VERSION, toSummaryPrompt } from "./summary-prompt.ts";

const Input = z.object({
  postId: PostId,
  /** Null where the post is silent: what was heard there is never prompted as speech. */
  transcriptKey: z.string().nullable(),
  transcriptHash: Sha256.nullable(),
  screenTextKey: z.string().nullable(),
  screenHash: Sha256.nullable(),
  metadataHash: Sha256,
  engines: z.array(z.string()).min(1),
});
type Input = z.infer<typeof Input>;

const Output = z.object({ answerKey: z.string(), engine: z.string() });

/** Answers what the post is about, in a fixed shape. */
export const summarize = defineStage({
  name: "summarize",
  queue: "llm",
  input: Input,
  output: Output,
  attempts: 4,
  timeoutMs: 120_000,
  key: toKey,
  produces: [summaryKind],
  rerun: (end) => hasBetterEngine(end),
});

/** Every content input, prompt and model; never the counters, which change daily. */
function toKey({ postId, transcriptHash, screenHash, metadataHash, engines }: Input): string {
  return hashJson({
    postId,
    transcriptHash,
    screenHash,
    metadataHash,
    engines,
    kind: "summary",
    prompt: SUMMARY_PROMPT_VERSION,
  });
}

export interface SummarizeDeps {
  llm: readonly SummaryProvider[];
  artifacts: ArtifactReader;
}

export function createSummarize({
  llm,
  artifacts,
}: SummarizeDeps): Stage<Input, z.infer<typeof Output>> {
  return {
    ...summarize,
    async run(input, ctx) {
      const engine = chooseEngine(input.engines, llm);
      const evidence = await gatherEvidence(artifacts, input);
      const question = { ...toSummaryPrompt(evidence), evidence };
      const estimateUsd = engine.estimateUsd(question);
      const call = () => engine.summarize(question, { signal: ctx.signal });
      const { summary, inputTokens, outputTokens } = await ctx.pay(
        { engine: engine.id, estimateUsd },
        call,
      );
      const answer: SummaryAnswer = {
        key: hashJson({ request: toKey(input), engine: engine.id }),
        postId: input.postId,
        kind: "summary",
        transcriptHash: input.transcriptHash,
        evidenceHash: hashJson({ screen: input.screenHash, metadata: input.metadataHash }),
        promptVersion: SUMMARY_PROMPT_VERSION,
        recipe: toRecipeKey(input.engines),
        engine: engine.id,
        sources: evidence.sources,
        body: summary,
      };
      ctx.log.info(
        { engine: engine.id, inputTokens, outputTokens, sources: evidence.sources },
        "summarized",
      );
      return {
        output: { answerKey: answer.key, engine: engine.id },
        records: [summaryKind.record(answer)],
      };
    },
  };
}

async function gatherEvidence(artifacts: ArtifactReader, input: Input): Promise<Evidence> {
  const [stored, transcript, screenText] = await Promise.all([
    artifacts.findPost(input.postId),
    input.transcriptKey === null ? null : artifacts.find(transcriptKind, input.transcriptKey),
    input.screenTextKey === null ? null : artifacts.find(screenTextKind, input.screenTextKey),
  ]);
  if (stored === null) throw new RetryableError("internal", "the post of a summary is not stored");
  const { post, engagement } = stored;
  const screenLines = screenText?.lines ?? [];
  const sources: EvidenceSource[] = [];
  if (transcript !== null)
    sources.push(transcript.origin === "captions" ? "captions" : "transcript");
  if (screenLines.length > 0) sources.push("ocr");
  sources.push("metadata");
  return {
    creator: post.author.uniqueId,
    followerCount: post.author.followerCount,
    engagement,
    musicTitle: post.music?.title ?? null,
    musicAuthor: post.music?.author ?? null,
    title: post.title,
    transcript: transcript?.text ?? null,
    screenLines,
    sources,
  };
}
