import { pipelines } from "@clipmill/pipeline";
import { expect, test } from "vitest";
import { requireProcessors } from "./require-processors.ts";

const toProcessors = (names: readonly string[]) => names.map((name) => ({ name }));

test("a processor for each step passes, in any order", () => {
  const processors = toProcessors(pipelines.stages.toReversed());
  expect(() => requireProcessors(pipelines.stages, processors)).not.toThrow();
});

test("steps without a processor and processors without a step are named, all at once", () => {
  expect(pipelines.stages).toContain("transcribe");
  const processors = toProcessors(
    pipelines.stages
      .filter((name) => name !== "download")
      .map((name) => (name === "transcribe" ? "transcript" : name)),
  );
  expect(() => requireProcessors(pipelines.stages, processors)).toThrow(
    "the step download has no processor, the step transcribe has no processor, the processor transcript belongs to no step",
  );
});
