export type { RegionLock } from "./io/download/fetch-post.ts";
export { planRequest } from "./pipelines/post.ts";
export { createPlanner, type Progress, type Step, step, type StepRule } from "./planner.ts";
export { createStages, type StageDeps } from "./stages.ts";
