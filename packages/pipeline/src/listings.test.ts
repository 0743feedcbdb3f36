import { ARTIFACT_KINDS, SOURCE_LISTING } from "@clipmill/domain";
import { expect, test } from "vitest";
import { readScreen } from "./cpu/read-screen.ts";
import { transcribe } from "./gpu/transcribe.ts";
import { download } from "./io/download/download.ts";
import { summarize } from "./llm/answer/kinds/summary.ts";

const STAGES = [transcribe, readScreen, summarize];

test("a result lists the engine of each artifact under the stage that makes it", () => {
  expect(SOURCE_LISTING.stage).toBe(download.name);
  const stages = ARTIFACT_KINDS.map(
    (kind) =>
      STAGES.find(({ produces = [] }) => produces.some(({ name }) => name === kind.name))?.name,
  );
  expect(stages).toEqual(ARTIFACT_KINDS.map(({ result }) => result.listing.stage));
});
