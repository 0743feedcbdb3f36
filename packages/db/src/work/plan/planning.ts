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
  /** How many requests one transaction plans at most when a job ends. */
  advancedMax: number;
}

/** Takes about a second, and holds the locks as long. */
const ADVANCED_MAX = 1_000;

interface PlanningOptions {
  /** Where records are stored. Default: the tables of the built-in kinds. */
  tables?: readonly RecordTable[] | undefined;
  /** Default 1,000. */
  advancedMax?: number | undefined;
}

/** For callers that push no hints and start nothing. */
export function createPlanning(
  { plan, rerun = () => false }: PipelineRules,
  { tables = RECORD_TABLES, advancedMax = ADVANCED_MAX }: PlanningOptions = {},
): Planning {
  return {
    plan,
    rerun,
    options: createRequestOptions(),
    records: createRecordStore(tables),
    directEnqueue: NO_DIRECT_ENQUEUE,
    advancedMax,
  };
}
