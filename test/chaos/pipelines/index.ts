import type { RunnableStage } from "@clipmill/domain";
import { createPipelines } from "@clipmill/pipeline";
import { askPipeline, createAskStages } from "./ask.ts";
import { crawlPipeline, createCrawlStages } from "./crawl.ts";
import { createMachine, type MachineDeps } from "./machine.ts";
import { createPostStages, postPipeline } from "./post.ts";
import { createRoundStages, roundPipeline } from "./round.ts";

const PIPELINES = [postPipeline, crawlPipeline, askPipeline, roundPipeline];

export const chaosPipelines = createPipelines(PIPELINES);

/** How many steps a request of each kind takes. */
export const STEP_COUNTS: ReadonlyMap<string, number> = new Map(
  PIPELINES.map(({ kind, steps }) => [kind, steps.length]),
);

export function createChaosStages(deps: MachineDeps): RunnableStage[] {
  const machine = createMachine(deps);
  return [createPostStages, createCrawlStages, createAskStages, createRoundStages].flatMap(
    (create) => create(machine),
  );
}
