import { z } from "zod";

/** Models that ran, as engine ids; null for a part that did not run. */
export const Models = z.object({
  source: z.string().nullable(),
  asr: z.string().nullable(),
  ocr: z.string().nullable(),
  llm: z.string().nullable(),
});
export type Models = z.infer<typeof Models>;

/** Where the public result lists the engine that made one of its parts. */
export interface EngineListing {
  /** Under `models`; the first part that has a model's name keeps it. Null: not there. */
  model: keyof Models | null;
  /** In `simulated`, where its output or its price is not real. */
  stage: string;
}

/** Of the source that told of the post. The engines of artifacts are listed as their kinds say. */
export const SOURCE_LISTING: EngineListing = { model: "source", stage: "download" };
