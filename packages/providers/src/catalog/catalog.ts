import type { AsrModule, LlmModule, OcrModule, PostModule } from "../engine-module.ts";
import { openai } from "../asr/openai/openai.ts";
import { pocketsphinx } from "../asr/pocketsphinx/pocketsphinx.ts";
import { claude } from "../llm/claude/claude.ts";
import { extractive } from "../llm/extractive/extractive.ts";
import { tesseract } from "../ocr/tesseract/tesseract.ts";
import { file } from "../posts/file/file.ts";
import { tiklive } from "../posts/tiklive/tiklive.ts";
import { tikwm } from "../posts/tikwm/tikwm.ts";
import { ytdlp } from "../posts/ytdlp/ytdlp.ts";

export interface Catalog {
  posts: readonly PostModule[];
  asr: readonly AsrModule[];
  ocr: readonly OcrModule[];
  llm: readonly LlmModule[];
}

/**
 * Every engine there is. A new one is a folder with its module, a line here, and its variables in the group of
 * `packages/config/src/env` that is named as its kind. The order is that of a configuration that lists no engines.
 */
export const CATALOG: Catalog = {
  posts: [tiklive, tikwm, ytdlp, file],
  asr: [openai, pocketsphinx],
  ocr: [tesseract],
  llm: [claude, extractive],
};
