import { expect, test } from "vitest";
import { findCharset, toListFormat } from "../v1/backfills/list/list-types.ts";
import { parseIdempotencyKey } from "./idempotency-key.ts";
import { parseWait } from "./prefer.ts";
import { toRequestId } from "./request-id.ts";

const PARSERS: Record<string, (text: string) => unknown> = {
  parseIdempotencyKey,
  parseWait,
  findCharset,
  toListFormat,
  toRequestId: (text) => toRequestId({ headers: { "request-id": text } }),
};
const RUNS = [
  '"',
  '\\"',
  "\\",
  "wait",
  "wait=",
  " ",
  "\t",
  ",",
  ";",
  "charset=",
  "; charset =",
  "a",
  "-",
  "=1",
];

/** Node lets 16 kB of headers pass; this looks further, so that a square would show. */
test.each(Object.entries(PARSERS))("%s takes time that grows with its text", (_name, parse) => {
  for (const run of RUNS) {
    const [short, long] = [16_000, 128_000].map((length) => {
      const text = run.repeat(length / run.length);
      const startedAt = process.cpuUsage();
      for (const variant of [text, `"${text}`, `${text}!`, `wait${text}`]) {
        try {
          parse(variant);
        } catch {
          // Only the time counts here: what each of them refuses, its own tests say.
        }
      }
      return process.cpuUsage(startedAt).user / 1_000;
    });
    // Eight times the text: a quadratic pattern takes 64 times as long.
    expect(long).toBeLessThan(Math.max(60, 30 * (short ?? 0)));
  }
});
