import { toEngineId } from "@clipmill/domain";
import { z } from "zod";
import type { LlmModule } from "../../engine-module.ts";
import { askServer } from "../../http/ask-server.ts";
import { perMinute } from "../../http/per-minute.ts";

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
  async create({ ANTHROPIC_API_KEY = "", ANTHROPIC_BASE_URL, CLAUDE_MODEL }, { engine }) {
    // Its SDK is 250 files, and most programs only ask what this engine is called.
    const { createClaude } = await import("./create-claude.ts");
    return createClaude({
      apiKey: ANTHROPIC_API_KEY,
      baseUrl: ANTHROPIC_BASE_URL,
      model: CLAUDE_MODEL,
      engine,
    });
  },
  rate: ({ ANTHROPIC_API_KEY, LLM_RATE_PER_MINUTE }) => ({
    rate: perMinute(LLM_RATE_PER_MINUTE),
    credential: ANTHROPIC_API_KEY ?? null,
  }),
  doctor: async ({ ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL }) => {
    const name = "ANTHROPIC_API_KEY";
    if (ANTHROPIC_API_KEY === undefined) {
      return {
        name,
        found: null,
        without: "not set: simulated or extracted answers",
        advice: "set ANTHROPIC_API_KEY for the real thing",
      };
    }
    // The list of models costs nothing.
    const answer = await askServer(`${ANTHROPIC_BASE_URL}/v1/models?limit=1`, {
      "x-api-key": ANTHROPIC_API_KEY,
      "anthropic-version": "2023-06-01",
    });
    const refused = answer === "refuses the key";
    return {
      name,
      found: answer === "works" ? "set, and taken by the server at ANTHROPIC_BASE_URL" : null,
      isWanted: true,
      without: `set, but the server at ANTHROPIC_BASE_URL ${answer}`,
      advice: refused
        ? "correct ANTHROPIC_API_KEY; keys begin with sk-ant-"
        : "see whether this machine reaches it, or correct ANTHROPIC_BASE_URL",
    };
  },
  toSandbox: (own, sandboxUrl) => ({
    ...own,
    ANTHROPIC_API_KEY: "sandbox",
    ANTHROPIC_BASE_URL: `${sandboxUrl}/anthropic`,
  }),
};
