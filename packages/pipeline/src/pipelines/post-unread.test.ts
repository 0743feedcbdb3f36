import type { ErrorCode, StageStates } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { pipelines } from "./index.ts";
import {
  downloaded,
  hash,
  locked,
  POST_ID,
  request,
  stagesOf,
  summarized,
} from "./post-examples.ts";

describe("a post whose sound cannot be decoded", () => {
  const unread = { part: "sound", code: "unsupported", message: "the sound is in the codec xx9x" };
  const prepared = {
    state: "done",
    output: { audioSha256: null, durationMs: 0, unread },
  } as const;
  const states = { download: downloaded(), "prepare-audio": prepared };

  test("is not recognised but looked at, and done with a warning", () => {
    expect(stagesOf(states)).toEqual(["read-screen"]);
    const read = {
      state: "done",
      output: { screenTextKey: "screen", screenHash: hash("c"), engine: "tesseract" },
    } as const;
    const done = { ...states, "read-screen": read, summarize: summarized };
    expect(pipelines.plan(request, done)).toMatchObject({
      kind: "done",
      artifacts: { screen_text: "screen" },
      warnings: [{ stage: "prepare-audio", code: "unsupported", message: unread.message }],
    });
  });

  test("fails where nothing but its words was asked for", () => {
    expect(pipelines.plan({ ...request, outputs: ["transcript"] }, states)).toEqual({
      kind: "failed",
      stage: "prepare-audio",
      code: "unsupported",
      message: unread.message,
      postId: POST_ID,
    });
  });
});

test("a slideshow whose sound is broken fails where nothing but its words was asked for", () => {
  const unread = [
    { part: "pictures", code: "too_large", message: "number 3" },
    { part: "sound", code: "corrupt_media", message: "broken" },
  ];
  const download = downloaded({ sound: null, video: null, images: [hash("c")], unread });
  expect(stagesOf({ download })).toEqual(["read-screen"]);
  const facts = { ...request, outputs: ["transcript" as const] };
  expect(pipelines.plan(facts, { download })).toMatchObject({
    kind: "failed",
    stage: "download",
    code: "corrupt_media",
  });
});

test("every picture that was not read is a warning, and an answer rests on no screen text then", () => {
  const unread = [
    { part: "pictures", code: "unsupported", message: "HEIC" },
    { part: "video", code: "unsupported", message: "bvc2" },
  ];
  const states = {
    download: downloaded({ sound: null }),
    "read-screen": {
      state: "done",
      output: { screenTextKey: null, screenHash: null, engine: "tesseract", unread },
    },
  } as const;
  expect(pipelines.plan(request, states)).toMatchObject({
    steps: [{ stage: "summarize", input: { screenTextKey: null, screenHash: null } }],
  });
  expect(pipelines.plan(request, { ...states, summarize: summarized })).toMatchObject({
    kind: "done",
    warnings: [
      { stage: "read-screen", message: "HEIC" },
      { stage: "read-screen", message: "bvc2" },
    ],
  });
});

describe("what the answer is told was not read", () => {
  const prepared = {
    state: "done" as const,
    output: { audioSha256: hash("c"), durationMs: 8_000 },
  };
  const silent = {
    state: "done" as const,
    output: { transcriptKey: "t", transcriptHash: hash("d"), verdict: "silent", engine: "e" },
  };
  const read = { screenTextKey: "s", screenHash: hash("f"), engine: "tesseract" };
  const skipped = (code: ErrorCode) => ({ state: "skipped" as const, code, message: "" });
  const failed = (code: ErrorCode) => ({ state: "failed" as const, code, message: "" });
  const odd = { part: "pictures", code: "unread_text", message: "another script" };
  const unreadOf = (states: StageStates): unknown => {
    const plan = pipelines.plan(request, states);
    const step =
      plan?.kind === "steps" ? plan.steps.find(({ stage }) => stage === "summarize") : null;
    const { unread = [] } = (step?.input ?? {}) as { unread?: { part: string; code: string }[] };
    return unread.map(({ part, code }) => `${part} ${code}`);
  };
  const heard = { download: downloaded(), "prepare-audio": prepared, transcribe: silent };

  test.each<[what: string, states: StageStates, unread: unknown]>([
    [
      "nothing of a silent post whose screen was read",
      { ...heard, "read-screen": { state: "done", output: read } },
      [],
    ],
    ["nothing of a post without pictures", { ...heard, "read-screen": skipped("no_pictures") }, []],
    [
      "the screen where no engine reads it",
      { ...heard, "read-screen": skipped("no_ocr_engine") },
      ["video no_ocr_engine"],
    ],
    [
      "the screen where reading failed",
      { ...heard, "read-screen": failed("corrupt_media") },
      ["video corrupt_media"],
    ],
    [
      "text that the engine cannot read",
      { ...heard, "read-screen": { state: "done", output: { ...read, unread: [odd] } } },
      ["pictures unread_text"],
    ],
    [
      "sound that cannot be decoded, and slides that were left out",
      {
        download: downloaded({
          unread: [{ part: "pictures", code: "too_large", message: "number 3" }],
        }),
        "prepare-audio": {
          state: "done",
          output: {
            audioSha256: null,
            durationMs: 0,
            unread: { part: "sound", code: "unsupported", message: "xx9x" },
          },
        },
        "read-screen": { state: "done", output: read },
      },
      ["pictures too_large", "sound unsupported"],
    ],
    [
      "nothing of the sound where there is none",
      {
        download: downloaded(),
        "prepare-audio": skipped("no_audio"),
        "read-screen": { state: "done", output: read },
      },
      [],
    ],
    [
      "all of a post that is not served here",
      { download: locked },
      ["sound region_locked", "video region_locked"],
    ],
  ])("%s", (_what, states, unread) => {
    expect(unreadOf(states)).toEqual(unread);
  });

  test("text that cannot be read is a warning of the result", () => {
    const screen = { state: "done" as const, output: { ...read, unread: [odd] } };
    const plan = pipelines.plan(request, {
      ...heard,
      "read-screen": screen,
      summarize: summarized,
    });
    expect(plan).toMatchObject({ warnings: [{ stage: "read-screen", code: "unread_text" }] });
  });
});
