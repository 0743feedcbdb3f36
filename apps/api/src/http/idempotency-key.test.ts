import { describe, expect, it } from "vitest";
import { parseIdempotencyKey } from "./idempotency-key.ts";

describe("parseIdempotencyKey", () => {
  it.each([
    ["8e03978e-40d5", "8e03978e-40d5"],
    ['"8e03978e-40d5"', "8e03978e-40d5"],
    [String.raw`"a \"b\" \\ c"`, String.raw`a "b" \ c`],
    ["k".repeat(255), "k".repeat(255)],
  ])("reads %s", (header, key) => {
    expect(parseIdempotencyKey(header)).toBe(key);
  });

  it("is null without the header", () => {
    expect(parseIdempotencyKey(undefined)).toBeNull();
  });

  it.each([
    ["an empty one", ""],
    ["an empty quoted one", '""'],
    ["one that is too long", "k".repeat(256)],
    ["an open quote", '"abc'],
    ["a quote in the middle", '"a"b"'],
    ["spaces in a bare one", "a b"],
    ["characters beyond ASCII", "schlüssel"],
    ["two headers, as Node joins them", "a, b"],
  ])("refuses %s", (_what, header) => {
    expect(() => parseIdempotencyKey(header)).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });
});
