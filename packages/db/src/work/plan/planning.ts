import type { Planner, RerunPolicy } from "@clipmill/domain";
import { type RecordStore, recordStore } from "../../artifacts/save-records.ts";
import { createRequestOptions, type RequestOptions } from "../accept/request-options.ts";
import { type DirectEnqueue, NO_DIRECT_ENQUEUE } from "./insert-jobs.ts";

/** What the record is told of the pipelines: it knows no stage and no kind of request by name. */
export interface PipelineRules {
  plan: Planner;
  /** Default: results and skips bind whoever asks later. */
  rerun?: RerunPolicy;
}

/** What the planning of next steps needs. */
export interface Planning extends Required<PipelineRules> {
  options: RequestOptions;
  records: RecordStore;
  directEnqueue: DirectEnqueue;
}

/** For those who push no hints and start nothing. */
export function createPlanning({ plan, rerun = () => false }: PipelineRules): Planning {
  return {
    plan,
    rerun,
    options: createRequestOptions(),
    records: recordStore,
    directEnqueue: NO_DIRECT_ENQUEUE,
  };
}
