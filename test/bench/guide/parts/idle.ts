import { setTimeout as sleep } from "node:timers/promises";
import { type Shape, startClipmill } from "../clipmill.ts";
import { readCpu, subtractCpu } from "../cpu.ts";
import { type Bench, COSTS, type CpuPart, toCpu, toPids, warmUp } from "../side.ts";
import type { PartResult } from "../tables.ts";

const HOUR_S = 3_600;
/** After the last post: what that leaves to be written and looked at once more is over by then. */
const SETTLE_MS = 5_000;
const SHAPES: readonly Shape[] = ["redis", "embedded"];
type Cpu = Partial<Record<CpuPart, number>>;

/** CPU seconds an hour with nothing to do, from a measurement of `seconds`. */
export async function measureIdle(
  bench: Bench,
  { seconds }: { seconds: number },
): Promise<PartResult> {
  const used: Cpu[] = [];
  for (const shape of SHAPES) {
    const cpu = await measureShape(bench, shape, seconds);
    process.stderr.write(`idle, ${shape}: ${toHour(sum(cpu)).toFixed()} CPU seconds an hour\n`);
    used.push(cpu);
  }
  function toHour(cpuSeconds: number): number {
    return (cpuSeconds / seconds) * HOUR_S;
  }
  const toRow = (part: CpuPart) => used.map((cpu) => toHour(cpu[part] ?? Number.NaN));
  return {
    tables: [
      {
        title: `nothing to do: measured for ${seconds} s, scaled to an hour`,
        columns: SHAPES.map((shape) => `clipmill ${shape}`),
        rows: {
          "idle CPU s an hour": used.map((cpu) => toHour(sum(cpu))),
          "idle CPU s of worker": toRow("own"),
          "idle CPU s of its children": toRow("children"),
          "idle CPU s of Postgres": toRow("postgres"),
          "idle CPU s of Redis": toRow("redis"),
          "idle CPU s of the API": toRow("api"),
        },
      },
    ],
    bars: [],
    checks: {},
  };
}

function sum(cpu: Cpu): number {
  return COSTS.reduce((total, part) => total + (cpu[part] ?? 0), 0);
}

async function measureShape(bench: Bench, shape: Shape, seconds: number): Promise<Cpu> {
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
