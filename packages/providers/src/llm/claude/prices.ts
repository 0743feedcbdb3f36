/**
 * Dollars per million tokens at the standard tier: the model pages of platform.claude.com as of November 2026, older
 * models as announced. Prices change with a commit here, so that a booked cost can be traced to a table.
 */
export interface TokenPrices {
  input: number;
  output: number;
  /** Every token costs this many times as much once the prompt is over 100,000 tokens. Default 1. */
  longPromptFactor?: number;
}

const PRICES: Readonly<Record<string, TokenPrices>> = {
  "claude-haiku-5-5": { input: 0.1, output: 0.5, longPromptFactor: 5 },
  "claude-haiku-4-5": { input: 1, output: 5 },
  "claude-sonnet-5-5": { input: 2, output: 10 },
  "claude-sonnet-5": { input: 2, output: 10 },
  "claude-sonnet-4-6": { input: 3, output: 15 },
  "claude-sonnet-4-5": { input: 3, output: 15 },
  "claude-opus-5-5": { input: 4, output: 20 },
  "claude-opus-5": { input: 5, output: 25 },
  "claude-opus-4-6": { input: 5, output: 25 },
  "claude-opus-4-5": { input: 5, output: 25 },
  "claude-fable-5-1": { input: 10, output: 50 },
};

/** For a model that is not listed: dearer than any that is, so that a budget is never overrun by a guess. */
const UNKNOWN: TokenPrices = { input: 15, output: 75 };

const LONG_PROMPT_TOKENS = 100_000;

export interface TokenUsage {
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens?: number | null | undefined;
  cache_read_input_tokens?: number | null | undefined;
}

/** The price of one call. Cache writes cost 1.25 × input; reads are booked at 0.1 × input. */
export function toUsd(model: string, usage: TokenUsage): number {
  const prices = PRICES[model.replace(/-\d{8}$/, "")] ?? UNKNOWN;
  const written = usage.cache_creation_input_tokens ?? 0;
  const read = usage.cache_read_input_tokens ?? 0;
  const isLong = usage.input_tokens + written + read > LONG_PROMPT_TOKENS;
  const factor = isLong ? (prices.longPromptFactor ?? 1) : 1;
  const inputUnits = usage.input_tokens + written * 1.25 + read * 0.1;
  return ((inputUnits * prices.input + usage.output_tokens * prices.output) * factor) / 1_000_000;
}
