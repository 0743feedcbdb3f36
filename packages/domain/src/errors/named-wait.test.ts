import { expect, test } from "vitest";
import { toRetryDelayMs } from "../work/backoff.ts";
import { RetryableError } from "./errors.ts";
import { toNamedWaitMs } from "./named-wait.ts";

const HOUR_MS = 3_600_000;

test.each<[named: number | undefined, waitMs: number | undefined]>([
  [2_000, 2_000],
  [HOUR_MS + 1, HOUR_MS],
  [9_999_999_000, HOUR_MS],
  [Date.parse("9999-12-31T23:59:59Z"), HOUR_MS],
  [Number.POSITIVE_INFINITY, HOUR_MS],
  [-1, 0],
  [Number.NaN, undefined],
  [undefined, undefined],
])("a wait of %s ms from outside counts as %s", (named, waitMs) => {
  expect(toNamedWaitMs(named)).toBe(waitMs);
  expect(new RetryableError("throttled", "x", { retryAfterMs: named }).retryAfterMs).toBe(waitMs);
});

test("a job waits an hour and a tenth at most, whatever was named", () => {
  const delayMs = toRetryDelayMs({ attempts: 0, retryAfterMs: 9_999_999_000, random: () => 0.999 });
  expect(delayMs).toBeGreaterThan(HOUR_MS);
  expect(delayMs).toBeLessThanOrEqual(1.1 * HOUR_MS);
});
