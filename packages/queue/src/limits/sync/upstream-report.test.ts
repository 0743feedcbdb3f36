import { RetryableError, SkipError } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { addReports, EMPTY_REPORT, toReport } from "./upstream-report.ts";

const open = new AbortController().signal;

describe("what an error says about its upstream", () => {
  test.each([
    [
      "a 429",
      new RetryableError("throttled", "no", { retryAfterMs: 5 }),
      {
        failures: 0,
        strained: true,
        pushback: { code: "throttled", retryAfterMs: 5 },
        probe: "passed",
      },
    ],
    [
      "an empty balance",
      new RetryableError("provider_balance", "no"),
      {
        failures: 0,
        pushback: { code: "provider_balance", retryAfterMs: undefined },
        probe: "failed",
      },
    ],
    [
      "a 503",
      new RetryableError("upstream_unavailable", "no"),
      {
        failures: 1,
        strained: false,
        probe: "failed",
      },
    ],
    [
      "a timeout",
      new RetryableError("upstream_unavailable", "no", { details: { transport: "timeout" } }),
      {
        failures: 1,
        strained: true,
        probe: "failed",
      },
    ],
    ["a deleted post", new SkipError("gone", "no"), { calls: 1, failures: 0, probe: "passed" }],
    ["success", undefined, { calls: 1, failures: 0, pushback: null, probe: "passed" }],
    ["a bug of ours", new TypeError("no"), { calls: 0, failures: 0, probe: "void" }],
  ])("%s", (_what, error, expected) => {
    expect(toReport(error, open)).toMatchObject(expected);
  });

  test("the stage's time limit counts against the upstream, a shutdown does not", () => {
    const timedOut = AbortSignal.abort(new DOMException("late", "TimeoutError"));
    expect(toReport(timedOut.reason, timedOut)).toMatchObject({ failures: 1, strained: true });
    const stopped = AbortSignal.abort(new Error("the worker is stopping"));
    expect(toReport(stopped.reason, stopped)).toEqual({ ...EMPTY_REPORT, probe: "void" });
  });
});

test("of several pushbacks the longest wait is reported, unless the account is in trouble", () => {
  const throttled = (retryAfterMs: number) =>
    toReport(new RetryableError("throttled", "no", { retryAfterMs }), open);
  const keyless = toReport(new RetryableError("provider_key", "no"), open);
  const sum = addReports(throttled(9), throttled(4));
  expect(sum).toMatchObject({ calls: 2, pushback: { retryAfterMs: 9 } });
  expect(addReports(keyless, sum).pushback?.code).toBe("provider_key");
  expect(addReports(sum, keyless).pushback?.code).toBe("provider_key");
});
