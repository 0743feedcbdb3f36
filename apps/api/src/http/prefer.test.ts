import { describe, expect, it } from "vitest";
import { parseWait } from "./prefer.ts";

describe("parseWait", () => {
  it.each([
    ["wait=5", 5],
    ['respond-async, Wait = "20"; foo=1', 20],
    ["wait=0", 0],
    ["wait=61", 60],
    ["wait=1, wait=9", 1],
  ])("reads %j as %d s", (header, seconds) => {
    expect(parseWait(header)).toBe(seconds);
  });

  it.each([undefined, "", "respond-async", "wait", "wait=-1", "wait=1.5", "wait=x", "await=3"])(
    "finds no wait in %j",
    (header) => {
      expect(parseWait(header)).toBeNull();
    },
  );
});
