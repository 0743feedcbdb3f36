import { expect, test } from "vitest";
import { ERROR_CODES } from "../errors/error-codes.ts";
import { isWaitingReason } from "./waiting-for.ts";

test("each code that uses up no attempt says what to do, and no other does", () => {
  for (const [code, { counts }] of Object.entries(ERROR_CODES))
    expect(isWaitingReason(code), code).toBe(!counts);
});

test("a code that is none is no reason", () => {
  expect(isWaitingReason(null)).toBe(false);
  expect(isWaitingReason("toString")).toBe(false);
});
