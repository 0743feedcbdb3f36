import { planRequest } from "@clipmill/pipeline";
import { expect, test } from "vitest";
import { requireProcessors } from "./require-processors.ts";

const toProcessors = (names: readonly string[]) => names.map((name) => ({ name }));

test("a processor for each step passes, in any order", () => {
  const processors = toProcessors(planRequest.stages.toReversed());
  expect(() => requireProcessors(planRequest.stages, processors)).not.toThrow();
});

test("steps without a processor and processors without a step are named, all at once", () => {
  expect(planRequest.stages).toContain("transcribe");
  const processors = toProcessors(
    planRequest.stages
      .filter((name) => name !== "download")
      .map((name) => (name === "transcribe" ? "transcript" : name)),
  );
  expect(() => requireProcessors(planRequest.stages, processors)).toThrow(
    "the step download has no processor, the step transcribe has no processor, the processor transcript belongs to no step",
  );
});
