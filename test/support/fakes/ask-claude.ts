import type { SummaryProvider } from "@clipmill/domain";
import { createClaude } from "../../../packages/providers/src/llm/claude/create-claude.ts";
import { toQuestion } from "../conformance/summary-questions.ts";
import { type ClaudeTurn, createFakeClaude } from "./fake-claude.ts";

export const CLAUDE_MODEL = "claude-haiku-5-5";

/** Claude at this address. `timeoutMs`: default 10 s. */
export function connectClaude(
  url: string,
  { model = CLAUDE_MODEL, timeoutMs = 10_000 } = {},
): SummaryProvider {
  return createClaude({
    apiKey: "key-of-the-test",
    baseUrl: url,
    model,
    engine: `claude:${model}`,
    timeoutMs,
  });
}

/** Asks a Claude that answers with these turns about "grind the beans". Resolves with its answer or its error, and what it was sent. */
export async function askClaude(...turns: ClaudeTurn[]) {
  await using fake = await createFakeClaude(...turns);
  const { signal } = new AbortController();
  const outcome = await connectClaude(fake.url)
    .summarize(toQuestion({ transcript: "grind the beans" }), { signal })
    .then(
      (answer) => ({ answer, error: null }),
      (error: unknown) => ({ answer: null, error }),
    );
  return { ...outcome, requests: fake.requests };
}
