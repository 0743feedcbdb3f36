import { describe, expect, test } from "vitest";
import { pipelines } from "./index.ts";
import { downloaded, hash, locked, request, stagesOf, summarized } from "./post-examples.ts";

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

test("a post with nothing to hear is looked at", () => {
  const skipped = { state: "skipped", code: "no_audio", message: "64 ms" } as const;
  expect(stagesOf({ download: downloaded(), "prepare-audio": skipped })).toEqual(["read-screen"]);
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
