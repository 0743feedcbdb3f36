import { expect, test } from "vitest";
import { chooseCaptions } from "./choose-captions.ts";

const english = { transcriptKey: "e", transcriptHash: "e", language: "en", spoken: false };
const german = { transcriptKey: "d", transcriptHash: "d", language: "de", spoken: true };

test("captions are chosen by the hint's primary tag", () => {
  expect(chooseCaptions([english, german], "en-US")).toBe(english);
  expect(chooseCaptions([english, german], "fr")).toBeUndefined();
});

test("without a hint those of the spoken language are chosen, and none is guessed", () => {
  expect(chooseCaptions([english, german], null)).toBe(german);
  expect(chooseCaptions([english], null)).toBeUndefined();
});
