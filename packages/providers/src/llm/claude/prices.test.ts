import { expect, test } from "vitest";
import { toUsd } from "./prices.ts";

const million = { input_tokens: 1_000_000, output_tokens: 1_000_000 };

test("tokens cost what the table says", () => {
  expect(toUsd("claude-haiku-5-5", { input_tokens: 300, output_tokens: 200 })).toBeCloseTo(
    0.00013,
    10,
  );
  expect(toUsd("claude-haiku-4-5-20251001", million)).toBeCloseTo(6, 10);
});

test("a prompt over 100,000 tokens costs five times as much on Haiku 5.5, cached tokens counted", () => {
  const usage = { input_tokens: 50_000, cache_read_input_tokens: 50_001, output_tokens: 0 };
  expect(toUsd("claude-haiku-5-5", usage)).toBeCloseTo((55_000.1 * 0.1 * 5) / 1e6, 10);
});

test("cache writes cost more than input, reads less", () => {
  const usage = { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 1_000_000 };
  expect(toUsd("claude-sonnet-5-5", usage)).toBeCloseTo(2.5, 10);
});

test("an unknown model is dearer than any known one", () => {
  expect(toUsd("claude-next-9", million)).toBeGreaterThan(toUsd("claude-fable-5-1", million));
});
