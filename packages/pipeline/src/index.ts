export type { RegionLock } from "./fetch-post.ts";
export { planRequest } from "./pipeline.ts";
export { createPlanner, type Progress, type Step, step, type StepRule } from "./planner.ts";
export { createStages, type StageDeps } from "./stages.ts";
