import { z } from "zod";
import { EvidenceSource, toAnswerShape } from "./answer.ts";
import { defineArtifact } from "./kind.ts";
import { type Transcript, transcriptKind } from "./transcript.ts";

const words = (max: number) => (text: string) => text.trim().split(/\s+/u).length <= max;

/** What the model is asked for. The limits are checked by us: structured output does not enforce them. */
export const Summary = z.object({
  tldr: z.string().min(1).refine(words(25), "tldr is one sentence of at most 25 words"),
  takeaways: z
    .array(z.string().min(1).refine(words(20), "a takeaway has at most 20 words"))
    .min(3, "3 to 5 takeaways")
    .max(5, "3 to 5 takeaways"),
  sentiment: z.enum(["positive", "negative", "neutral", "mixed"]),
  cta: z.string().min(1).refine(words(15), "cta has at most 15 words"),
});
export type Summary = z.infer<typeof Summary>;

export const SummaryAnswer = toAnswerShape("summary", Summary);
export type SummaryAnswer = z.infer<typeof SummaryAnswer>;

export const summaryKind = defineArtifact({
  name: "summary",
  shape: SummaryAnswer,
  columns: ["body", "sources", "transcriptHash"],
  listing: { model: "llm", stage: "summarize" },
  fields: {
    summary: Summary.nullable(),
    sources: z.array(EvidenceSource).describe("what the summary rests on"),
  },
  toFields: ({ own, find }) => ({
    summary: own === null ? null : inOrder(own.body),
    sources: own === null ? [] : toSources(own, find(transcriptKind)),
  }),
});

/** jsonb keeps no order of keys; readers like the sentence first. */
function inOrder({ tldr, takeaways, sentiment, cta }: Summary): Summary {
  return { tldr, takeaways, sentiment, cta };
}

/**
 * An answer is shared by all transcripts of the same words. Whether they were captions or heard is a matter of the
 * transcript that stands beside it.
 */
export function toSources(
  { sources, transcriptHash }: Pick<SummaryAnswer, "sources" | "transcriptHash">,
  transcript: Pick<Transcript, "hash" | "origin"> | null,
): EvidenceSource[] {
  if ((transcript?.hash ?? null) !== transcriptHash) return sources;
  const [from, to] =
    transcript?.origin === "captions"
      ? (["transcript", "captions"] as const)
      : (["captions", "transcript"] as const);
  return sources.map((source) => (source === from ? to : source));
}
