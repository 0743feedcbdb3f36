import type { RequestFacts, StageStates } from "@clipmill/domain";
import { pipelines } from "./index.ts";

// What the tests of a post's plan start from.

export const POST_ID = "7345678901234567890";
export const hash = (letter: string) => letter.repeat(64);

/** A request for a transcript and a summary of a post, in whatever language it is. */
export const request: RequestFacts = {
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

/** A download with sound and video, 8 s long; `more` replaces parts of its output. */
export const downloaded = (more: object = {}) => ({
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

/** A download of which nothing but the metadata is served here. */
export const locked = downloaded({ sound: null, video: null, missing: "region_locked" });

export const summarized = {
  state: "done" as const,
  output: { answerKey: "answer", engine: "extractive" },
};

/** The stages that are planned next, or how the request ends. */
export const stagesOf = (states: StageStates, facts = request) => {
  const plan = pipelines.plan(facts, states);
  return plan?.kind === "steps" ? plan.steps.map(({ stage }) => stage) : plan?.kind;
};
