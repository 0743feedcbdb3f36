import { toEngineId } from "@clipmill/domain";
import { z } from "zod";
import type { AsrModule } from "../../engine-module.ts";
import { perMinute } from "../../http/per-minute.ts";
import { createOpenAiTranscriber } from "./openai-transcriber.ts";

const settings = z.object({
  ASR_BASE_URL: z.string().optional(),
  ASR_API_KEY: z.string().optional(),
  ASR_MODEL: z.string(),
  ASR_USD_PER_MINUTE: z.number(),
  ASR_RATE_PER_MINUTE: z.number().optional(),
  ASR_MAX_UPLOAD_BYTES: z.number().optional(),
});

/** A server that speaks OpenAI's API for transcriptions, often one's own. */
export const openai: AsrModule<z.infer<typeof settings>> = {
  name: "openai",
  settings,
  needs: "ASR_BASE_URL",
  toId: ({ ASR_MODEL }, { sandbox }) => toEngineId("openai", { model: ASR_MODEL, sandbox }),
  create: (settings, { engine }) =>
    createOpenAiTranscriber({
      baseUrl: settings.ASR_BASE_URL ?? "",
      apiKey: settings.ASR_API_KEY,
      model: settings.ASR_MODEL,
      engine,
      usdPerMinute: settings.ASR_USD_PER_MINUTE,
      ...(settings.ASR_MAX_UPLOAD_BYTES === undefined
        ? {}
        : { maxUploadBytes: settings.ASR_MAX_UPLOAD_BYTES }),
    }),
  rate: ({ ASR_BASE_URL, ASR_API_KEY, ASR_RATE_PER_MINUTE }) => ({
    rate: perMinute(ASR_RATE_PER_MINUTE),
    credential: ASR_API_KEY ?? ASR_BASE_URL ?? null,
  }),
  doctor: async ({ ASR_BASE_URL }) => ({
    name: "speech recognition",
    found: ASR_BASE_URL === undefined ? null : "the server at ASR_BASE_URL",
    without: "none: the demo plays recorded transcripts",
    advice: "set ASR_BASE_URL",
  }),
  toSandbox: (own, sandboxUrl) => ({
    ...own,
    ASR_BASE_URL: `${sandboxUrl}/openai`,
    ASR_API_KEY: "sandbox",
    ASR_MODEL: "recorded",
    ASR_USD_PER_MINUTE: 0,
  }),
};
