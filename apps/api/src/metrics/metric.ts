import type { MetricsReader } from "./metrics-reader.ts";

/** One figure for operators, read when it is asked for: a file of its own in this folder, and a line in `metrics.ts`. */
export interface Metric {
  /** With the unit at its end, after Prometheus' custom: `clipmill_queue_jobs`. */
  name: string;
  help: string;
  /** Never an id, a link or a tenant: each value is a time series of its own. */
  labels: readonly string[];
  read(from: MetricsReader): Promise<Sample[]>;
}

export interface Sample {
  labels: Readonly<Record<string, string>>;
  value: number;
}
