export { hasBetterEngine, isAbsenceOver } from "./engines/rerun.ts";
export { fileProducers } from "./file-producers.ts";
export type { RegionLock } from "./io/download/fetch-post.ts";
export { pipelines } from "./pipelines/index.ts";
export {
  createPipeline,
  createPipelines,
  type Pipeline,
  type Pipelines,
  type Progress,
  type Step,
  step,
  type StepRule,
} from "./planner.ts";
export { createStages, type StageDeps } from "./stages.ts";
