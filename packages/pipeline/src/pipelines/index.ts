import { createPipelines } from "../planner.ts";
import { postPipeline } from "./post.ts";

/** All pipelines: one for each kind of request. */
export const pipelines = createPipelines([postPipeline]);
