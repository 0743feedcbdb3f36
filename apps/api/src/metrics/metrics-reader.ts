import type { QueueCounts } from "@clipmill/db";
import type { QueueName } from "@clipmill/domain";

/** What metrics are read from: the record, so that they are the same from each API process. */
export interface MetricsReader {
  countJobs(): Promise<readonly QueueCounts[]>;
  /** Slots of all live workers, by queue; a queue that nobody drains is missing. */
  countSlots(): Promise<Partial<Record<QueueName, number>>>;
}
