import { z } from "zod";
import { count, credential, httpUrl, list, variable } from "../variable.ts";

/** Answers about posts. The engines are in `providers/src/llm`. */
export const llm = {
  LLM_ENGINES: variable(
    list.default([]),
    "Answer engines in order: claude, extractive. Not set: claude if ANTHROPIC_API_KEY is set, else extractive.",
  ),
  ANTHROPIC_API_KEY: variable(credential.optional(), "Key of the Anthropic API."),
  ANTHROPIC_BASE_URL: variable(
    httpUrl.default("https://api.anthropic.com"),
    "Base URL of the Anthropic API.",
  ),
  CLAUDE_MODEL: variable(z.string().min(1).default("claude-haiku-5-5"), "Model that summarises."),
  LLM_RATE_PER_MINUTE: variable(
    count.optional(),
    "Calls a minute that your Anthropic account allows for the model. Not set: no limit known; 429s still pause all workers.",
  ),
} as const;
