import { expect, test } from "vitest";
import { wordRecall } from "./word-recall.ts";

test("case, punctuation and added words cost nothing", () => {
  expect(wordRecall("Good coffee. Don't wait!", "so good coffee uh don't you wait")).toBe(1);
});

test("a missing word and a word out of order each count as not heard", () => {
  expect(wordRecall("one two three four", "one three four")).toBe(0.75);
  expect(wordRecall("one two three four", "two one three four")).toBe(0.75);
});

test("a repeated word must be heard as often as it was said", () => {
  expect(wordRecall("no no no no", "no")).toBe(0.25);
});

test("nothing heard is 0, nothing expected is 1", () => {
  expect(wordRecall("hello", "")).toBe(0);
  expect(wordRecall(" ... ", "anything")).toBe(1);
});
