import { expect, test } from "vitest";
import { toSources } from "./summary.ts";

test.each([
  ["the words of captions", { hash: "h", origin: "captions" as const }, "h", ["captions", "ocr"]],
  ["words that were heard", { hash: "h", origin: "speech" as const }, "h", ["transcript", "ocr"]],
  ["other words", { hash: "other", origin: "speech" as const }, "h", ["captions", "ocr"]],
  ["no words", null, "h", ["captions", "ocr"]],
])("an answer beside %s says what it rests on", (_what, transcript, transcriptHash, sources) => {
  const answer = { sources: ["captions" as const, "ocr" as const], transcriptHash };
  expect(toSources(answer, transcript)).toEqual(sources);
});
