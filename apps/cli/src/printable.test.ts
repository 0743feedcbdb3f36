import { expect, test } from "vitest";
import { toCostText, toPrintable, toSecondsText } from "./printable.ts";

test("text from outside cannot steer the terminal", () => {
  const hostile = "a\u001B[2Jb\u001B]0;title\u0007c\rd\u009B31me\u202Ef\u2066g";
  expect(toPrintable(hostile)).toBe("a[2Jb]0;titlecd31mefg");
});

test("line breaks, tabs, emoji and other scripts stay", () => {
  const harmless = "één\n\tкофе ☕️ 👩‍🍳 قهوة";
  expect(toPrintable(harmless)).toBe(harmless);
});

test("a price that is not real is marked", () => {
  expect(toCostText(0.00213, [])).toBe("$0.0021");
  expect(toCostText(0.00213, ["summarize"])).toBe("$0.0021*");
  expect(toSecondsText(1_250)).toBe("1.3 s");
});
