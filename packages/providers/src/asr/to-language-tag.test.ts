import { expect, test } from "vitest";
import { toLanguageTag } from "./to-language-tag.ts";

test.each([
  ["en", "en"],
  ["en-US", "en"],
  ["zh_Hant", "zh"],
  ["English", "en"],
  ["spanish", "es"],
  ["chinese", "zh"],
  ["cantonese", "yue"],
  ["tagalog", "tl"],
  ["myanmar", "my"],
  ["haitian creole", "ht"],
])("%s is %s", (language, tag) => {
  expect(toLanguageTag(language)).toBe(tag);
});

test.each([null, undefined, "", "und", "klingon language", "<script>", "e"])(
  "%j is not a language",
  (language) => {
    expect(toLanguageTag(language)).toBeNull();
  },
);
