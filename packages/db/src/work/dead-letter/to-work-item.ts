import type { WorkItem, WorkItemDetail } from "@clipmill/domain";
import type { DeadJob, DeadJobDetail } from "./dead-job.ts";

/** The public JSON of a dead stage job. API and CLI both use it. */
export function toWorkItem(job: DeadJob): WorkItem {
  const { message, createdAt, failedAt, ...same } = job;
  return { ...same, detail: message, created_at: createdAt, failed_at: failedAt };
}

export function toWorkItemDetail(detail: DeadJobDetail): WorkItemDetail {
  const { input, droppedAt, requestIds, requestCount, ...job } = detail;
  return {
    ...toWorkItem(job),
    input,
    dropped_at: droppedAt,
    jobs: requestIds,
    job_count: requestCount,
  };
}
