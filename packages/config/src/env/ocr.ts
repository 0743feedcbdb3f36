import { z } from "zod";
import { variable } from "../variable.ts";

/** On-screen text. The engines are in `providers/src/ocr`. */
export const ocr = {
  TESSERACT_PATH: variable(
    z.string().min(1).default("tesseract"),
    "The tesseract program, for on-screen text.",
  ),
} as const;
