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
  ["Haitian Creole", "ht"],
  ["jw", "jv"],
  ["javanese", "jv"],
  ["iw", "he"],
  ["in", "id"],
  ["eng", "en"],
  ["deu", "de"],
  ["ger", "de"],
  ["yue", "yue"],
  ["tl", "tl"],
  ["<|ja|>", "ja"],
  ["Chinese (Simplified)", "zh"],
  [" PT-br ", "pt"],
])("%s is %s", (language, tag) => {
  expect(toLanguageTag(language)).toBe(tag);
});

test.each([
  null,
  undefined,
  "",
  "und",
  "mul",
  "auto",
  "none",
  "xx",
  "klingon language",
  "<script>",
  "e",
])("%j is not a language", (language) => {
  expect(toLanguageTag(language)).toBeNull();
});
