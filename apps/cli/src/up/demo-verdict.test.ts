import type { PostResult, RequestView } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { findDifferences } from "./demo-verdict.ts";

const RESULT: PostResult = {
  aweme_id: "7000000000000000001",
  url: null,
  author: "demo_coffee",
  author_url: null,
  attribution: "@demo_coffee on TikTok",
  language: "en",
  duration: 8,
  transcript: "one two three four five six seven eight nine ten",
  segments: [],
  ocr: [],
  summary: null,
  engagement: { plays: null, likes: null, comments: null, shares: null },
  sources: ["transcript"],
  models: { source: null, asr: null, ocr: null, llm: null },
  cost: { usd: 0, by_stage: {} },
  timings_ms: {},
  cached: false,
  simulated: ["summarize", "download"],
  warnings: [],
};
const DONE: RequestView = {
  id: "job_1",
  state: "done",
  link: "",
  postId: null,
  stages: [],
  waitingFor: null,
  failure: null,
  result: RESULT,
  cost: RESULT.cost,
  createdAt: "",
  finishedAt: null,
};
const SPEECH = {
  words: "One, two three four five six seven eight nine ten!",
  expect: {
    outcome: "done" as const,
    sources: ["transcript" as const],
    simulated: ["download", "summarize"],
    simulatedWithoutAsr: ["download", "transcribe", "summarize"],
  },
};
const PRIVATE = {
  words: null,
  expect: {
    outcome: "skipped" as const,
    code: "private" as const,
    simulated: [],
    simulatedWithoutAsr: [],
  },
};
const real = { speechIsReal: true };

function withResult(changes: Partial<PostResult>): RequestView {
  return { ...DONE, result: { ...RESULT, ...changes } };
}

describe("the demo's verdict", () => {
  test("finds nothing where all is as expected, in whatever order", () => {
    expect(findDifferences(SPEECH, DONE, real)).toEqual([]);
  });

  test("expects the recording to be named where nothing can hear", () => {
    expect(findDifferences(SPEECH, DONE, { speechIsReal: false })).toEqual([
      "simulated is download, summarize, expected download, summarize, transcribe",
    ]);
  });

  test("finds a simulated part that should be real", () => {
    const view = withResult({ simulated: ["download", "transcribe", "summarize"] });
    expect(findDifferences(SPEECH, view, real)).toHaveLength(1);
  });

  test("wants four words of five", () => {
    const heard = (count: number) =>
      withResult({ transcript: RESULT.transcript.split(" ").slice(0, count).join(" ") });
    expect(findDifferences(SPEECH, heard(8), real)).toEqual([]);
    expect(findDifferences(SPEECH, heard(7), real)).toEqual([
      "only 70 % of the words were recognised",
    ]);
  });

  test("finds a summary that rests on something else", () => {
    const view = withResult({ sources: ["metadata"] });
    expect(findDifferences(SPEECH, view, real)).toEqual([
      "the summary does not rest on transcript",
    ]);
  });

  test("takes the expected failure for a success, and any other for a difference", () => {
    const failed = (code: "private" | "gone"): RequestView => ({
      ...DONE,
      state: "skipped",
      result: null,
      failure: { code, message: "", stage: "download", retryable: false },
    });
    expect(findDifferences(PRIVATE, failed("private"), real)).toEqual([]);
    expect(findDifferences(PRIVATE, failed("gone"), real)).toEqual([
      "code is gone, expected private",
    ]);
    expect(findDifferences(PRIVATE, DONE, real)).toEqual([
      "outcome is done, expected skipped",
      "code is none, expected private",
    ]);
    expect(findDifferences(SPEECH, { ...DONE, state: "running", result: null }, real)).toEqual([
      "outcome is running, expected done",
    ]);
  });
});
