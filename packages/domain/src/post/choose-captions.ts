import { z } from "zod";

/** A transcript made from the platform's captions, as the stage that read them tells of it. */
export const CaptionsOutput = z.object({
  transcriptKey: z.string(),
  transcriptHash: z.string(),
  /** BCP-47 primary tag; null where the source does not tell. */
  language: z.string().nullable(),
  /** The captions are in the language that is spoken, as far as the source tells. */
  spoken: z.boolean(),
});
export type CaptionsOutput = z.infer<typeof CaptionsOutput>;
export const CaptionsOutputs = z.array(CaptionsOutput);

/**
 * The captions that stand for recognition: in the hinted language, else in the one that is spoken. Undefined where
 * none does, and the post must be listened to.
 */
export function chooseCaptions(
  captions: readonly CaptionsOutput[],
  hint: string | null,
): CaptionsOutput | undefined {
  const tag = hint?.split("-")[0]?.toLowerCase();
  return captions.find((each) => (tag === undefined ? each.spoken : each.language === tag));
}
