import type { ErrorCode, RequestFacts, StageStates } from "@clipmill/domain";
import { describe, expect, test } from "vitest";
import { pipelines } from "./index.ts";

const POST_ID = "7345678901234567890";
const hash = (letter: string) => letter.repeat(64);
const request: RequestFacts = {
  id: "job_1",
  link: `https://www.tiktok.com/@ada/video/${POST_ID}`,
  postId: POST_ID,
  outputs: ["transcript", "summary"],
  recipes: { source: ["tiklive"], asr: ["pocketsphinx"], ocr: ["tesseract"], llm: ["extractive"] },
  language: null,
  fresh: false,
  kind: "post",
  input: null,
};
const english = {
  transcriptKey: "english",
  transcriptHash: hash("e"),
  language: "en",
  spoken: true,
};
const german = {
  transcriptKey: "german",
  transcriptHash: hash("d"),
  language: "de",
  spoken: false,
};
const downloaded = (more: object = {}) => ({
  state: "done" as const,
  output: {
    postId: POST_ID,
    metadataHash: hash("a"),
    sound: hash("b"),
    video: hash("b"),
    images: [],
    durationMs: 8_000,
    ...more,
  },
});
const locked = downloaded({ sound: null, video: null, missing: "region_locked" });
const summarized = {
  state: "done" as const,
  output: { answerKey: "answer", engine: "extractive" },
};
const stagesOf = (states: StageStates, facts = request) => {
  const plan = pipelines.plan(facts, states);
  return plan?.kind === "steps" ? plan.steps.map(({ stage }) => stage) : plan?.kind;
};

describe("a post with captions of its speech", () => {
  const states = { download: downloaded({ captions: [english, german] }) };

  test("goes straight to its summary: nothing is decoded and nothing recognised", () => {
    const plan = pipelines.plan(request, states);
    expect(plan).toMatchObject({
      kind: "steps",
      steps: [
        { stage: "summarize", input: { transcriptKey: "english", transcriptHash: hash("e") } },
      ],
    });
  });

  test("ends with the captions as its transcript", () => {
    expect(pipelines.plan(request, { ...states, summarize: summarized })).toMatchObject({
      kind: "done",
      warnings: [],
      artifacts: { transcript: "english", summary: "answer" },
    });
  });

  test("takes the captions of the language that the caller names", () => {
    const plan = pipelines.plan({ ...request, language: "de-AT" }, states);
    expect(plan).toMatchObject({ steps: [{ input: { transcriptKey: "german" } }] });
  });

  test("is recognised all the same where the caller asks for that, by the job that anybody's recognition is", () => {
    const fresh = { ...request, fresh: true };
    const prepared = {
      state: "done",
      output: { audioSha256: hash("c"), durationMs: 8_000 },
    } as const;
    const heard = {
      state: "done",
      output: {
        transcriptKey: "heard",
        transcriptHash: hash("f"),
        verdict: "speech",
        engine: "pocketsphinx",
      },
    } as const;
    expect(stagesOf(states, fresh)).toEqual(["prepare-audio"]);
    const ready = { ...states, "prepare-audio": prepared };
    const uncaptioned = { download: downloaded(), "prepare-audio": prepared };
    expect(pipelines.plan(fresh, ready)).toEqual(pipelines.plan(request, uncaptioned));
    const done = { ...ready, transcribe: heard };
    expect(pipelines.plan(fresh, done)).toMatchObject({
      steps: [{ stage: "summarize", input: { transcriptKey: "heard" } }],
    });
    expect(pipelines.plan(fresh, { ...done, summarize: summarized })).toMatchObject({
      kind: "done",
      artifacts: { transcript: "heard" },
    });
  });

  test("is recognised where the caller names a language that has none", () => {
    expect(stagesOf(states, { ...request, language: "fr" })).toEqual(["prepare-audio"]);
  });

  test("that may be of any language is recognised", () => {
    expect(stagesOf({ download: downloaded({ captions: [german] }) })).toEqual(["prepare-audio"]);
  });
});

describe("a post that is locked in this region", () => {
  test("is summarised from its metadata, and neither heard nor looked at", () => {
    expect(pipelines.plan(request, { download: locked })).toMatchObject({
      steps: [{ stage: "summarize", input: { transcriptKey: null, screenTextKey: null } }],
    });
  });

  test("is done with a warning", () => {
    expect(pipelines.plan(request, { download: locked, summarize: summarized })).toMatchObject({
      kind: "done",
      warnings: [{ stage: "download", code: "region_locked" }],
      artifacts: { summary: "answer" },
    });
  });
});

test("a download that an earlier version stored is understood", () => {
  const old = downloaded({ engine: "tiklive" });
  expect(stagesOf({ download: old })).toEqual(["prepare-audio"]);
});

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

test("a post with nothing to hear is looked at", () => {
  const skipped = { state: "skipped", code: "no_audio", message: "64 ms" } as const;
  expect(stagesOf({ download: downloaded(), "prepare-audio": skipped })).toEqual(["read-screen"]);
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

test("a silent transcript stays the post's, but is not prompted as speech", () => {
  const states = {
    download: downloaded(),
    "prepare-audio": { state: "done", output: { audioSha256: hash("c"), durationMs: 8_000 } },
    transcribe: {
      state: "done",
      output: { transcriptKey: "quiet", transcriptHash: hash("f"), verdict: "silent", engine: "x" },
    },
    "read-screen": { state: "skipped", code: "no_ocr_engine", message: "none" },
  } as const;
  expect(pipelines.plan(request, states)).toMatchObject({
    steps: [{ stage: "summarize", input: { transcriptKey: null } }],
  });
  expect(pipelines.plan(request, { ...states, summarize: summarized })).toMatchObject({
    kind: "done",
    artifacts: { transcript: "quiet" },
    warnings: [{ stage: "read-screen", code: "no_ocr_engine" }],
  });
});

test("says which stages wait for a stage", () => {
  expect(pipelines.next("resolve")).toEqual(["download"]);
  expect(pipelines.next("prepare-audio")).toEqual(["transcribe"]);
  expect(pipelines.next("no-such-stage")).toEqual([]);
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
