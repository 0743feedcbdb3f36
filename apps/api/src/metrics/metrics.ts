import type { Api, ApiDeps } from "../deps.ts";
import type { Metric } from "./metric.ts";
import type { MetricsReader } from "./metrics-reader.ts";
import { queueJobs } from "./queue-jobs.ts";
import { workerSlots } from "./worker-slots.ts";

/** All figures that `GET /metrics` shows. */
const METRICS: readonly Metric[] = [queueJobs, workerSlots];

/** `GET /metrics`: in Prometheus' text format. Where nothing can be read from, there is no such page. */
export function metrics(api: Api, { metrics: reader }: ApiDeps): void {
  if (reader === undefined) return;
  api.get("/metrics", { logLevel: "silent", schema: { hide: true } }, async (_request, reply) => {
    const registry = await collect(reader);
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

/** Anew for each scrape: what is shown was read for it. Imported here, as few installations are ever scraped. */
async function collect(reader: MetricsReader) {
  const { Gauge, Registry } = await import("@prometheus-io/client");
  const registry = new Registry();
  for (const { name, help, labels, read } of METRICS) {
    const gauge = new Gauge({ name, help, labelNames: [...labels], registers: [registry] });
    for (const sample of await read(reader)) gauge.set({ ...sample.labels }, sample.value);
  }
  return registry;
}
