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
  doctor: async ({ TESSERACT_PATH }) => {
    const found = await findTesseract(TESSERACT_PATH);
    return {
      name: "tesseract",
      found: found === null ? null : `${found.version}, with its data for English`,
      isWanted: TESSERACT_PATH !== "tesseract",
      without: "not found, or without data for English: on-screen text is not read",
      advice: "apt-get install tesseract-ocr tesseract-ocr-eng, or correct TESSERACT_PATH",
    };
  },
};
