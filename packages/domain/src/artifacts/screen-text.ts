import { z } from "zod";
import { defineArtifact } from "./kind.ts";

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

export const screenTextKind = defineArtifact({
  name: "screen_text",
  shape: ScreenText,
  columns: ["lines"],
  listing: { model: "ocr", stage: "read-screen" },
  fields: { ocr: z.array(z.string()).describe("on-screen text, line by line") },
  toFields: ({ own }) => ({ ocr: own?.lines ?? [] }),
});
