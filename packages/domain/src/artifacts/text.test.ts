import fc from "fast-check";
import { expect, test } from "vitest";
import { cleanText, cutText, normalizeText } from "./text.ts";

test.each([
  ["NUL", "a\0b", "a b"],
  ["a lone surrogate", "soup \ud83d end", "soup \ufffd end"],
  ["an escape sequence", "\u001b[31mred", " [31mred"],
  ["a direction override", "exe.\u202egnp", "exe.gnp"],
  ["a byte order mark", "\ufeffhello", "hello"],
])("%s does not stay in a text", (_what, text, clean) => {
  expect(cleanText(text)).toBe(clean);
});

test.each([
  ["lines and tabs", "one\ttwo\r\nthree"],
  ["a family of emoji", "👨‍👩‍👧 🍅"],
  ["Persian with its joiner", "می‌خواهم"],
  ["Khmer", "សូមអរគុណ"],
])("%s stays as it is", (_what, text) => {
  expect(cleanText(text)).toBe(text);
});

test("a cut never goes through a character of two units", () => {
  expect(cutText("ab🍅", 3)).toBe("ab");
  expect(cutText("ab🍅", 4)).toBe("ab🍅");
  expect(cleanText("ab🍅c", 3)).toBe("ab");
});

test("whatever comes in, what goes out is text that Postgres takes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      for (const clean of [cleanText(text), normalizeText(text), cleanText(text, 7)]) {
        expect(clean.isWellFormed()).toBe(true);
        // oxlint-disable-next-line no-control-regex
        expect(clean).not.toMatch(/[\u0000-\u0008\u000e-\u001f\u007f-\u009f]/);
      }
      expect(normalizeText(normalizeText(text))).toBe(normalizeText(text));
    }),
  );
});
