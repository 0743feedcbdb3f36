import { describe, expect, it } from "vitest";
import { toClock, toDollars, toDuration } from "./parts.ts";

describe("page parts", () => {
  it.each([
    [0, "0:00"],
    [72.5, "1:12"],
    [3599.999, "59:59"],
    [3661, "1:01:01"],
  ])("shows %d s as %s", (seconds, clock) => {
    expect(toClock(seconds)).toBe(clock);
  });

  it.each([
    [0, "$0.00"],
    [0.00002, "< $0.0001"],
    [0.00214, "$0.0021"],
  ])("shows %d dollars as %s", (usd, text) => {
    expect(toDollars(usd)).toBe(text);
  });

  it("changes to seconds at one second", () => {
    expect([toDuration(999), toDuration(1000)]).toEqual(["999 ms", "1.0 s"]);
  });
});
