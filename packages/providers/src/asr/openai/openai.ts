import { toEngineId } from "@clipmill/domain";
import { z } from "zod";
import type { AsrModule } from "../../engine-module.ts";
import { askServer } from "../../http/ask-server.ts";
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

/** Its address may be given with or without the version. */
const toV1 = (baseUrl: string): string =>
  `${baseUrl.replace(/\/+(v1\/*)?$/, "").replace(/\/v1$/, "")}/v1`;

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
  doctor: async ({ ASR_BASE_URL, ASR_API_KEY }) => {
    const name = "speech recognition";
    const without = "none: the demo plays recorded transcripts";
    if (ASR_BASE_URL === undefined) {
      return { name, found: null, without, advice: "set ASR_BASE_URL" };
    }
    const headers: Record<string, string> =
      ASR_API_KEY === undefined ? {} : { authorization: `Bearer ${ASR_API_KEY}` };
    const answer = await askServer(`${toV1(ASR_BASE_URL)}/models`, headers);
    if (answer === "works") {
      return { name, found: "the server at ASR_BASE_URL answers", without, advice: "" };
    }
    const refused = answer === "refuses the key";
    return {
      name: "ASR_BASE_URL",
      found: null,
      isWanted: true,
      without: `the server ${answer}`,
      advice: refused ? "correct ASR_API_KEY" : "start it, or correct or unset ASR_BASE_URL",
    };
  },
  toSandbox: (own, sandboxUrl) => ({
    ...own,
    ASR_BASE_URL: `${sandboxUrl}/openai`,
    ASR_API_KEY: "sandbox",
    ASR_MODEL: "recorded",
    ASR_USD_PER_MINUTE: 0,
  }),
};
