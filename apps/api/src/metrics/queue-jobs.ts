import type { Metric } from "./metric.ts";

/** How much work stands where. Counting stops at 100,000 a state: see `countJobs`. */
export const queueJobs: Metric = {
  name: "clipmill_queue_jobs",
  help: "Stage jobs by queue and state, counted to 100,000.",
  labels: ["queue", "state"],
  async read({ countJobs }) {
    return (await countJobs()).flatMap(({ queue, ...byState }) =>
      Object.entries(byState).map(([state, value]) => ({ labels: { queue, state }, value })),
    );
  },
};
