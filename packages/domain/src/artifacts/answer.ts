import { z } from "zod";

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

/** What an answer rests on. */
export const EvidenceSource = z.enum(["transcript", "captions", "ocr", "metadata"]);
export type EvidenceSource = z.infer<typeof EvidenceSource>;

/** Screen lines in the order in which they were read. */
export const ScreenText = z.object({
  /** Hash of images, recipe and engine. */
  key: z.string(),
  /** Hash of the lines. */
  hash: z.string(),
  /** Hash of the images that were read, in order. */
  imagesHash: z.string(),
  recipe: z.string(),
  engine: z.string(),
  lines: z.array(z.string()),
});
export type ScreenText = z.infer<typeof ScreenText>;

export const Answer = z.object({
  key: z.string(),
  postId: z.string(),
  kind: z.enum(["summary"]),
  transcriptHash: z.string().nullable(),
  evidenceHash: z.string(),
  promptVersion: z.string(),
  recipe: z.string(),
  /** The engine that answered. */
  engine: z.string(),
  sources: z.array(EvidenceSource),
  body: Summary,
});
export type Answer = z.infer<typeof Answer>;
