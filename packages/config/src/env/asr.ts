import { z } from "zod";
import { count, credential, httpUrl, list, variable } from "../variable.ts";

/** Speech recognition. The engines are in `providers/src/asr`. */
export const asr = {
  ASR_ENGINES: variable(
    list.default([]),
    "Speech engines in order: pocketsphinx, openai. Not set: openai if ASR_BASE_URL is set, then pocketsphinx if installed.",
  ),
  ASR_BASE_URL: variable(
    httpUrl.optional(),
    "Server with /v1/audio/transcriptions (speaches, vLLM, whisper.cpp, OpenAI).",
  ),
  ASR_API_KEY: variable(credential.optional(), "Key of that server, where it wants one."),
  ASR_MODEL: variable(z.string().min(1).default("whisper-1"), "Model name sent to that server."),
  ASR_USD_PER_MINUTE: variable(
    z.coerce.number().min(0).default(0),
    "Price of that server's minute of audio; 0 for one's own.",
  ),
  ASR_RATE_PER_MINUTE: variable(
    count.optional(),
    "Calls a minute that the speech server allows. Not set: no limit known; 429s still pause all workers.",
  ),
  ASR_MAX_UPLOAD_BYTES: variable(
    z.coerce.number().int().min(0).default(26_214_400),
    "Largest upload that the speech server takes; longer audio is sent in parts. 0: no limit. The default is that of OpenAI and vLLM, about 13 min.",
  ),
  POCKETSPHINX_PATH: variable(
    z.string().min(1).default("pocketsphinx_continuous"),
    "The pocketsphinx program.",
  ),
} as const;
