import { z } from "zod";
import type { OcrModule } from "../../engine-module.ts";
import { createTesseract, TESSERACT_ID } from "./create-tesseract.ts";
import { findTesseract } from "./find-tesseract.ts";

const settings = z.object({
  TESSERACT_PATH: z.string(),
  /** For the second reading of a picture. */
  FFMPEG_PATH: z.string().optional(),
});

/** On-screen text on any CPU. */
export const tesseract: OcrModule<z.infer<typeof settings>> = {
  name: "tesseract",
  settings,
  toId: () => TESSERACT_ID,
  create: ({ TESSERACT_PATH, FFMPEG_PATH }) =>
    createTesseract({ path: TESSERACT_PATH, ffmpegPath: FFMPEG_PATH }),
  find: ({ TESSERACT_PATH }) => findTesseract(TESSERACT_PATH),
  doctor: async ({ TESSERACT_PATH }) => ({
    name: "tesseract",
    found: (await findTesseract(TESSERACT_PATH))?.version ?? null,
    without: "not found: on-screen text is not read",
    advice: "apt-get install tesseract-ocr",
  }),
};
