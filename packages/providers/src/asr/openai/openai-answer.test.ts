import { describe, expect, test } from "vitest";
import { isNoAnswer, parseErrorBody, parseOpenAiAnswer } from "./openai-answer.ts";

const clip = { durationMs: 4_000, language: null };
const parse = (answer: unknown) => parseOpenAiAnswer(JSON.stringify(answer), clip);
const estimated = true;

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
      saidNoSpeech: false,
    });
  });

  test.each<[what: string, body: string]>([
    ["in plain json", '{"text":" all of it "}'],
    ["in plain text", "all of it\n"],
    ["as a string", '"all of it"'],
    ["with no segments", '{"text":"all of it","segments":[]}'],
    ["with null for segments", '{"text":"all of it","segments":null}'],
    ["with an empty segment", '{"text":"all of it","segments":[{"start":0,"end":0,"text":""}]}'],
    ["with segments of nothing", '{"text":"all of it","segments":[{}]}'],
    ["with a segment without times", '{"segments":[{"text":"all of it"}]}'],
    ["with a segment of no length", '{"segments":[{"start":0,"end":0,"text":"all of it"}]}'],
    ["with NaN for its times", '{"segments":[{"start":NaN,"end":Infinity,"text":"all of it"}]}'],
    ["in an envelope", '{"status":"ok","result":{"text":"all of it"}}'],
    ["in a list", '[{"text":"all of it"}]'],
  ])("%s is one segment over the clip, with its times marked as estimated", (_what, body) => {
    expect(parseOpenAiAnswer(body, clip)?.segments).toEqual([
      { startMs: 0, endMs: 4_000, text: "all of it", estimated },
    ]);
  });

  test("keeps good text whatever its other fields hold", () => {
    const body =
      '{"text":"one two","language":7,"duration":"x","segments":[{"id":"a","start":"0.0","end":" 3.5 ","text":" one two","avg_logprob":NaN,"no_speech_prob":"high","tokens":{}}]}';
    expect(parseOpenAiAnswer(body, clip)).toEqual({
      language: null,
      segments: [{ startMs: 0, endMs: 3_500, text: "one two" }],
      saidNoSpeech: false,
    });
  });

  test.each<[what: string, answer: unknown]>([
    ["whisper.cpp", { transcription: [{ offsets: { from: 500, to: 1_500 }, text: " one two" }] }],
    ["chunks", { text: "one two", chunks: [{ timestamp: [0.5, 1.5], text: "one two" }] }],
    ["clocks", { segments: [{ start: "00:00:00,500", end: "00:01.5", text: "one two" }] }],
    ["an object for a list", { segments: { 0: { start: 0.5, end: 1.5, text: "one two" } } }],
    ["a bare list", [{ start: 0.5, end: 1.5, text: "one two" }]],
    [
      "words",
      {
        text: "one two",
        words: [
          { word: "one", start: 0.5, end: 0.9 },
          { word: "two", start: 1, end: 1.5 },
        ],
      },
    ],
  ])("in the dialect of %s has its times", (_what, answer) => {
    expect(parse(answer)?.segments).toEqual([{ startMs: 500, endMs: 1_500, text: "one two" }]);
  });

  test("estimates only the times that are missing", () => {
    const segments = [
      { start: 0, end: 1, text: "first" },
      { text: "aa" },
      { start: null, end: null, text: "bbbb" },
      { start: 2.5, text: "last" },
    ];
    expect(parse({ segments })?.segments).toEqual([
      { startMs: 0, endMs: 1_000, text: "first" },
      { startMs: 1_000, endMs: 1_500, text: "aa", estimated },
      { startMs: 1_500, endMs: 2_500, text: "bbbb", estimated },
      { startMs: 2_500, endMs: 4_000, text: "last", estimated },
    ]);
  });

  test("keeps what its text says beyond its segments", () => {
    const segments = [{ start: 0, end: 2, text: "Hello there." }];
    expect(parse({ text: "Hello there. And all the rest!", segments })?.segments).toEqual([
      { startMs: 0, endMs: 2_000, text: "Hello there." },
      { startMs: 2_000, endMs: 4_000, text: "And all the rest!", estimated },
    ]);
  });

  test("joins words of a script without spaces as it is written", () => {
    const words = ["今日", "は", "トマト"].map((word, at) => ({ word, start: at, end: at + 1 }));
    expect(parse({ words })?.segments[0]?.text).toBe("今日はトマト");
  });

  test("stays inside the clip", () => {
    const segments = [{ start: 5, end: 6, text: "late" }];
    expect(parse({ text: "late", segments })?.segments).toEqual([
      { startMs: 4_000, endMs: 4_000, text: "late" },
    ]);
  });

  test("without a word has no segments", () => {
    expect(parse({ text: " ", segments: [] })).toMatchObject({ language: null, segments: [] });
    expect(parse({ segments: [] })?.segments).toEqual([]);
  });

  test("without a language that is one has the caller's", () => {
    const hinted = { durationMs: 1, language: "es-MX" };
    for (const body of ['{"text":"hola"}', '{"text":"hola","language":"auto"}', "hola"]) {
      expect(parseOpenAiAnswer(body, hinted)?.language).toBe("es");
    }
    expect(parse({ text: "x", result: { language: "de" } })?.language).toBe("de");
    expect(parse({ text: "x", language: "jw" })?.language).toBe("jv");
  });

  test("is bounded, and its text is clean", () => {
    const segments = Array.from({ length: 60_000 }, (_, at) => ({
      start: at / 100_000,
      end: (at + 1) / 100_000,
      text: "a\0b \ud83d word ".repeat(5),
    }));
    const read = parse({ segments })?.segments ?? [];
    expect(read.length).toBeLessThanOrEqual(20_000);
    expect(read.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(1_000_000);
    expect(read[0]?.text).toMatch(/^a b \ufffd word/);
    expect(parse({ text: "word ".repeat(500_000) })?.segments[0]?.text.length).toBeLessThan(
      1_000_001,
    );
  });

  test.each([
    "",
    " \n",
    "<html></html>",
    "<!doctype html>",
    "null",
    "[]",
    "{}",
    '{"text":5}',
    '{"a',
  ])("that is %j makes no sense", (body) => {
    expect(parseOpenAiAnswer(body, clip)).toBeNull();
  });
});

describe("what the server itself calls no speech", () => {
  const saying = (text: string, says: object) => ({ start: 0, end: 4, text, ...says });

  test("and is unsure of, or has written again and again, is left out", () => {
    const loop = saying("Thank you. Thank you.", { no_speech_prob: 0.95, compression_ratio: 12 });
    const unsure = saying("Bye.", { no_speech_prob: 0.7, avg_logprob: -1.4 });
    expect(parse({ text: "Thank you. Thank you. Bye.", segments: [loop, unsure] })).toMatchObject({
      segments: [],
    });
  });

  test("alone stays, and is told", () => {
    const segments = [saying("Thanks for watching", { no_speech_prob: 0.93, avg_logprob: -0.3 })];
    expect(parse({ segments })).toMatchObject({
      segments: [{ text: "Thanks for watching" }],
      saidNoSpeech: true,
    });
  });

  test("beside more that is speech changes nothing", () => {
    const segments = [
      saying("a few words of a man who speaks", { no_speech_prob: 0.1 }),
      saying("Bye.", { no_speech_prob: 0.9 }),
    ];
    expect(parse({ segments })).toMatchObject({ saidNoSpeech: false });
  });
});

test("an error is read from the body, and only where there is one", () => {
  expect(parseErrorBody('{"error":{"code":"Insufficient_quota"}}')).toMatchObject({
    code: "insufficient_quota",
  });
  expect(parseErrorBody('{"error":{"message":"No","code":500,"param":null}}')).toEqual({
    code: "500",
    type: "",
    param: "",
    message: "no",
  });
  expect(parseErrorBody('{"error":"CUDA out of memory"}')?.message).toBe("cuda out of memory");
  expect(parseErrorBody("oops")).toBeNull();
});

test("nothing and a page are no answer, text is", () => {
  expect(["", " ", "<html>", "\ufeff<?xml"].map(isNoAnswer)).toEqual([true, true, true, true]);
  expect(["hello", "{}", "  a < b"].map(isNoAnswer)).toEqual([false, false, false]);
});
