import type { ErrorCode, StageState } from "@clipmill/domain";
import type { ExistingJob } from "./existing-jobs.ts";

/** The state of a stage job, as the planner sees it. */
export function toStageState(
  job: Pick<ExistingJob, "state" | "output" | "errorCode" | "errorMessage">,
): StageState {
  const code = (job.errorCode ?? "internal") as ErrorCode;
  const message = job.errorMessage ?? "";
  switch (job.state) {
    case "done":
      return { state: "done", output: job.output };
    case "skipped":
      return { state: "skipped", code, message };
    case "failed":
    case "cancelled":
      return { state: "failed", code: job.state === "cancelled" ? "cancelled" : code, message };
    default:
      return { state: "open" };
  }
}
