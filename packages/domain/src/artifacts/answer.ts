import { z } from "zod";

/** What an answer rests on. */
export const EvidenceSource = z.enum(["transcript", "captions", "ocr", "metadata"]);
export type EvidenceSource = z.infer<typeof EvidenceSource>;

/** The shape of what a model, or a rule, answered about a post. `kind` says what was asked, `body` is the answer. */
export function toAnswerShape<Kind extends string, Body extends z.ZodType>(kind: Kind, body: Body) {
  return z.object({
    key: z.string(),
    postId: z.string(),
    kind: z.literal(kind),
    transcriptHash: z.string().nullable(),
    evidenceHash: z.string(),
    promptVersion: z.string(),
    recipe: z.string(),
    /** The engine that answered. */
    engine: z.string(),
    sources: z.array(EvidenceSource),
    body,
  });
}
