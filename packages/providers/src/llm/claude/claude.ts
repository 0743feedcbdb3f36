import { toEngineId } from "@clipmill/domain";
import { z } from "zod";
import type { LlmModule } from "../../engine-module.ts";
import { perMinute } from "../../http/per-minute.ts";
import { createClaude } from "./create-claude.ts";

const settings = z.object({
  ANTHROPIC_API_KEY: z.string().optional(),
  ANTHROPIC_BASE_URL: z.string(),
  CLAUDE_MODEL: z.string(),
  LLM_RATE_PER_MINUTE: z.number().optional(),
});

/** Claude, by the Anthropic API. */
export const claude: LlmModule<z.infer<typeof settings>> = {
  name: "claude",
  settings,
  needs: "ANTHROPIC_API_KEY",
  toId: ({ CLAUDE_MODEL }, { sandbox }) => toEngineId("claude", { model: CLAUDE_MODEL, sandbox }),
  create: ({ ANTHROPIC_API_KEY = "", ANTHROPIC_BASE_URL, CLAUDE_MODEL }, { engine }) =>
    createClaude({
      apiKey: ANTHROPIC_API_KEY,
      baseUrl: ANTHROPIC_BASE_URL,
      model: CLAUDE_MODEL,
      engine,
    }),
  rate: ({ ANTHROPIC_API_KEY, LLM_RATE_PER_MINUTE }) => ({
    rate: perMinute(LLM_RATE_PER_MINUTE),
    credential: ANTHROPIC_API_KEY ?? null,
  }),
  doctor: async ({ ANTHROPIC_API_KEY }) => ({
    name: "ANTHROPIC_API_KEY",
    found: ANTHROPIC_API_KEY === undefined ? null : "set",
    without: "not set: simulated or extracted answers",
    advice: "set ANTHROPIC_API_KEY for the real thing",
  }),
  toSandbox: (own, sandboxUrl) => ({
    ...own,
    ANTHROPIC_API_KEY: "sandbox",
    ANTHROPIC_BASE_URL: `${sandboxUrl}/anthropic`,
  }),
};
