import { type RunnableStage, toRunnable } from "@clipmill/domain";
import { createPrepareAudio } from "./cpu/prepare-audio.ts";
import { createReadScreen, type ReadScreenDeps } from "./cpu/read-screen.ts";
import { createTranscribe } from "./gpu/transcribe.ts";
import { createDownload, type DownloadDeps } from "./io/download/download.ts";
import { createResolve } from "./io/resolve.ts";
import type { AnswerDeps } from "./llm/answer/answer.ts";
import { createSummarize } from "./llm/answer/kinds/summary.ts";

/** Everything that the stages need from outside. */
export type StageDeps = DownloadDeps &
  ReadScreenDeps &
  AnswerDeps &
  Parameters<typeof createResolve>[0] &
  Parameters<typeof createTranscribe>[0];

/** All stages, ready to run. */
export function createStages(deps: StageDeps): RunnableStage[] {
  return [
    toRunnable(createResolve(deps)),
    toRunnable(createDownload(deps)),
    toRunnable(createPrepareAudio(deps)),
    toRunnable(createTranscribe(deps)),
    toRunnable(createReadScreen(deps)),
    toRunnable(createSummarize(deps)),
  ];
}
