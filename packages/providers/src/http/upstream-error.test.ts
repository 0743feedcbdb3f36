import { describe, expect, test } from "vitest";
import { mayHaveArrived, parseRetryAfter, toStatusError } from "./upstream-error.ts";

test.each([
  [401, "provider_key"],
  [403, "provider_key"],
  [402, "provider_balance"],
  [429, "throttled"],
  [408, "upstream_unavailable"],
  [500, "upstream_unavailable"],
  [529, "upstream_unavailable"],
  [400, "bad_response"],
  [302, "bad_response"],
])("status %i is %s", (status, code) => {
  const error = toStatusError(status, "x:y", { costUsd: 2, details: { type: "t" } });
  expect(error).toMatchObject({
    code,
    upstream: "x:y",
    costUsd: 2,
    details: { status, type: "t" },
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-11-22T00:00:00Z");

  test("is seconds or a date", () => {
    expect(parseRetryAfter("2")).toBe(2_000);
    expect(parseRetryAfter("0.25")).toBe(250);
    expect(parseRetryAfter("Sun, 22 Nov 2026 00:01:00 GMT", now)).toBe(60_000);
  });

  test.each(["9999999", "9999999.999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])(
    "of %s is an hour",
    (value) => {
      expect(parseRetryAfter(value, now)).toBe(3_600_000);
    },
  );

  test("in the past is no wait", () => {
    expect(parseRetryAfter("Sun, 22 Nov 2020 00:01:00 GMT", now)).toBe(0);
  });

  test.each([null, undefined, "", "-5", "soon", "99999999999"])("of %j is none", (value) => {
    expect(parseRetryAfter(value, now)).toBeUndefined();
  });
});

test("only a request whose connection was never made is known not to have arrived", () => {
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
  expect(mayHaveArrived(new Error("outer", { cause: new Error("mid", { cause: refused }) }))).toBe(
    false,
  );
  expect(mayHaveArrived(new Error("outer", { cause: reset }))).toBe(true);
  expect(mayHaveArrived("text")).toBe(true);
});
