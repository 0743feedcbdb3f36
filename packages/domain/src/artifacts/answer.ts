import { z } from "zod";
import { isErrorCode } from "../errors/error-codes.ts";

/** What an answer rests on. */
export const EvidenceSource = z.enum(["transcript", "captions", "ocr", "metadata"]);
export type EvidenceSource = z.infer<typeof EvidenceSource>;

/** A part of a post that may be there but was not read, and the code of why. It is not the same as "none there". */
export const UnreadEvidence = z.object({
  part: z.enum(["speech", "screen"]),
  code: z.string().refine(isErrorCode),
});
export type UnreadEvidence = z.infer<typeof UnreadEvidence>;

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
