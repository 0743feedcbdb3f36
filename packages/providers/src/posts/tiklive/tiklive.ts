import { toEngineId } from "@clipmill/domain";
import { z } from "zod";
import type { PostModule } from "../../engine-module.ts";
import { perMinute } from "../../http/per-minute.ts";
import { createTikLiveSource } from "./tiklive-source.ts";

const settings = z.object({
  TIKLIVE_API_KEY: z.string().optional(),
  TIKLIVE_BASE_URL: z.string(),
  TIKLIVE_RATE_PER_MINUTE: z.number(),
  TIKLIVE_BURST: z.number(),
});

/** TikLiveAPI: paid by the call, and the one that also lists creators, comments and replies. */
export const tiklive: PostModule<z.infer<typeof settings>> = {
  name: "tiklive",
  settings,
  needs: "TIKLIVE_API_KEY",
  toId: (_settings, { sandbox }) => toEngineId("tiklive", { sandbox }),
  create: ({ TIKLIVE_API_KEY = "", TIKLIVE_BASE_URL }, { engine, onHoldOff }) =>
    createTikLiveSource({ apiKey: TIKLIVE_API_KEY, baseUrl: TIKLIVE_BASE_URL, engine, onHoldOff }),
  rate: ({ TIKLIVE_API_KEY, TIKLIVE_RATE_PER_MINUTE, TIKLIVE_BURST }) => ({
    rate: perMinute(TIKLIVE_RATE_PER_MINUTE, TIKLIVE_BURST),
    credential: TIKLIVE_API_KEY ?? null,
  }),
  doctor: async ({ TIKLIVE_API_KEY }) => ({
    name: "TIKLIVE_API_KEY",
    found: TIKLIVE_API_KEY === undefined ? null : "set; not tried, since each call is paid",
    without: "not set: the sandbox's sample posts, where the sandbox is on",
    advice: "set TIKLIVE_API_KEY for the real thing",
  }),
  toSandbox: (own, sandboxUrl) => ({
    ...own,
    TIKLIVE_API_KEY: "sandbox",
    TIKLIVE_BASE_URL: `${sandboxUrl}/tiklive`,
  }),
};
