import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into a program with `--import`, to measure its event loop from inside without a change to it. It answers the
 * messages `loop-lag-reset` and `loop-lag`. Only in the program that was started so: what that forks may inherit the flag.
 */
export interface LoopLag {
  type: "loop-lag";
  /** How late a timer came, in ms. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** The share of the time in which the loop ran something, 0 to 1. */
  utilization: number;
}

/** A timer each so many ms; what it is late beyond that is lag. */
const RESOLUTION_MS = 5;
const NS_PER_MS = 1e6;

function measure(): void {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let used = performance.eventLoopUtilization();
  const toLagMs = (ns: number) => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  process.on("message", (message) => {
    const type: unknown = Reflect.get(Object(message), "type");
    if (type === "loop-lag-reset") {
      histogram.reset();
      used = performance.eventLoopUtilization();
      process.send?.({ type });
    }
    if (type !== "loop-lag") return;
    const { utilization } = performance.eventLoopUtilization(used);
    process.send?.({
      type,
      p50Ms: toLagMs(histogram.percentile(50)),
      p99Ms: toLagMs(histogram.percentile(99)),
      maxMs: toLagMs(histogram.max),
      utilization,
    } satisfies LoopLag);
  });
}

if (isMainThread && process.argv[1]?.endsWith("apps/worker/src/main.ts")) measure();
