import { QUEUE_NAMES } from "@clipmill/domain";
import type { Metric } from "./metric.ts";

/** Zero where work waits is what to be woken for: nobody drains that queue. */
export const workerSlots: Metric = {
  name: "clipmill_worker_slots",
  help: "Jobs that all live workers can run at once, by queue.",
  labels: ["queue"],
  async read({ countSlots }) {
    const slots = await countSlots();
    return QUEUE_NAMES.map((queue) => ({ labels: { queue }, value: slots[queue] ?? 0 }));
  },
};
