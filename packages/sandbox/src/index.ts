export type { Calls, RouteCalls } from "./calls.ts";
export { createSandbox, type Sandbox, type SandboxOptions } from "./create-sandbox.ts";
export { Fault, type FaultKind, RouteName } from "./faults/fault.ts";
export type { PlantedFile, PlantedPost } from "./planted-posts.ts";
export { type SampleFile, type SamplePost, samplePosts, toSamplePath } from "./sample-posts.ts";
export { wordRecall } from "./asr/word-recall.ts";
