import { setTimeout as sleep } from "node:timers/promises";
import type { PartResult } from "./bars.ts";
import { type Shape, startClipmill } from "./clipmill.ts";
import { readCpu, subtractCpu } from "./cpu.ts";
import { type Bench, toCpu, toPids, warmUp } from "./side.ts";

const HOUR_S = 3_600;
/** After the last post: what that leaves to be written and looked at once more is over by then. */
const SETTLE_MS = 5_000;

/** CPU seconds an hour with nothing to do, from a measurement of `seconds`. */
export async function measureIdle(
  bench: Bench,
  { seconds }: { seconds: number },
): Promise<PartResult> {
  const medians: Record<string, number> = {};
  for (const shape of ["redis", "embedded"] as const) {
    const used = await measureShape(bench, shape, seconds);
    const scale = HOUR_S / seconds;
    let sum = 0;
    for (const [part, cpu] of Object.entries(used)) {
      medians[`idle_${shape}_cpu_s_an_hour_of_${part.replace("'s ", "_")}`] = cpu * scale;
      sum += cpu * scale;
    }
    medians[`idle_${shape}_cpu_s_an_hour`] = sum;
    process.stderr.write(`idle, ${shape}: ${sum.toFixed(0)} CPU seconds an hour\n`);
  }
  return {
    medians,
    bars: [],
    checks: { idle: `measured for ${seconds} s and scaled to an hour` },
  };
}

async function measureShape(
  bench: Bench,
  shape: Shape,
  seconds: number,
): Promise<Record<string, number>> {
  const { servers, standIns, directory } = bench;
  const clipmill = await startClipmill({ servers, shape, standInsUrl: standIns.url, directory });
  try {
    await warmUp(clipmill);
    await sleep(SETTLE_MS);
    const pids = await toPids(bench, clipmill, shape);
    const before = readCpu(pids);
    await sleep(seconds * 1_000);
    return toCpu(subtractCpu(readCpu(pids), before));
  } finally {
    await clipmill.close();
  }
}
