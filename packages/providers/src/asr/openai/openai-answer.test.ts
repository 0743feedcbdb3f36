import { describe, expect, test } from "vitest";
import { parseErrorCode, parseOpenAiAnswer } from "./openai-answer.ts";

const clip = { durationMs: 4_000, language: null };
const parse = (answer: unknown) => parseOpenAiAnswer(JSON.stringify(answer), clip);

describe("a transcription answer", () => {
  test("gives segments in ms, in order, without overlap and without empty ones", () => {
    const answer = parse({
      text: "one two",
      language: "english",
      segments: [
        { start: 1.5, end: 30, text: " two ", avg_logprob: null, no_speech_prob: null },
        { start: 0, end: 2, text: "one", compression_ratio: null },
        { start: 2, end: 2.5, text: "  " },
      ],
    });
    expect(answer).toEqual({
      language: "en",
      segments: [
        { startMs: 0, endMs: 2_000, text: "one" },
        { startMs: 2_000, endMs: 4_000, text: "two" },
      ],
    });
  });

  test("in plain json is one segment over the clip", () => {
    expect(parse({ text: " all of it " })?.segments).toEqual([
      { startMs: 0, endMs: 4_000, text: "all of it" },
    ]);
  });

  test("keeps its text where the server sends no segments with it", () => {
    expect(parse({ text: "hello", segments: [] })?.segments).toHaveLength(1);
    expect(parse({ text: "hello", segments: null })?.segments).toHaveLength(1);
  });

  test("stays inside the clip", () => {
    const segments = [{ start: 5, end: 6, text: "late" }];
    expect(parse({ text: "late", segments })?.segments).toEqual([
      { startMs: 4_000, endMs: 4_000, text: "late" },
    ]);
  });

  test("without a word has no segments", () => {
    expect(parse({ text: " ", segments: [] })).toEqual({ language: null, segments: [] });
  });

  test("without a language has the caller's", () => {
    const body = JSON.stringify({ text: "hola" });
    expect(parseOpenAiAnswer(body, { durationMs: 1, language: "es-MX" })?.language).toBe("es");
  });

  test.each(["", "<html></html>", "null", "[]", '{"text":5}', '{"text":"a","segments":[{}]}'])(
    "that is %j makes no sense",
    (body) => {
      expect(parseOpenAiAnswer(body, clip)).toBeNull();
    },
  );
});

test("an error code is read from the body, and only where there is one", () => {
  expect(parseErrorCode('{"error":{"code":"insufficient_quota"}}')).toBe("insufficient_quota");
  expect(parseErrorCode('{"error":{"message":"insufficient_quota"}}')).toBeNull();
  expect(parseErrorCode("oops")).toBeNull();
});
