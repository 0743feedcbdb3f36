import type { Planner, RerunPolicy } from "@clipmill/domain";
import { createRecordStore, type RecordStore } from "../../artifacts/record-store.ts";
import type { RecordTable } from "../../artifacts/record-table.ts";
import { RECORD_TABLES } from "../../artifacts/tables.ts";
import { createRequestOptions, type RequestOptions } from "../accept/request-options.ts";
import { type DirectEnqueue, NO_DIRECT_ENQUEUE } from "./insert-jobs.ts";

/** What the work store needs of the pipelines. It knows no stage and no kind of request by name. */
export interface PipelineRules {
  plan: Planner;
  /** Default: a done or skipped job never runs again for a later request. */
  rerun?: RerunPolicy;
}

/** What the planning of next steps needs. */
export interface Planning extends Required<PipelineRules> {
  options: RequestOptions;
  records: RecordStore;
  directEnqueue: DirectEnqueue;
}

/** For callers that push no hints and start nothing. `tables`: where records are stored; default: the built-in ones. */
export function createPlanning(
  { plan, rerun = () => false }: PipelineRules,
  tables: readonly RecordTable[] = RECORD_TABLES,
): Planning {
  return {
    plan,
    rerun,
    options: createRequestOptions(),
    records: createRecordStore(tables),
    directEnqueue: NO_DIRECT_ENQUEUE,
  };
}
