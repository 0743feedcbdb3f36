import { createPipelines } from "../planner.ts";
import { postPipeline } from "./post.ts";

/** What clipmill does, kind by kind of request. */
export const pipelines = createPipelines([postPipeline]);
