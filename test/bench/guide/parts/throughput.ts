import { toPostIds } from "../post-ids.ts";
import { medianOf, runRounds, toChecks, toCostTable, toCpuMs } from "../rounds.ts";
import type { Bench, Side } from "../side.ts";
import { type Latencies, toLatencyText } from "../stand-ins.ts";
import type { PartResult } from "../tables.ts";

const SIDES: readonly Side[] = [
  "guide serial",
  "guide pool",
  "clipmill redis",
  "clipmill embedded",
];
/** It needs fewer posts: it has no start and no end at which it does less. */
const SERIAL_SHARE = 0.5;

/** Posts a second and CPU a post. The bars are for upstreams that answer at once. */
export async function measureThroughput(
  bench: Bench,
  { rounds, posts, latencies }: { rounds: number; posts: number; latencies: Latencies },
): Promise<PartResult> {
  await bench.standIns.setLatencies(latencies);
  const all = toPostIds("short", posts);
  const few = all.slice(0, Math.ceil(posts * SERIAL_SHARE));
  const runs = await runRounds(bench, {
    rounds,
    sides: SIDES,
    ids: (side) => (side === "guide serial" ? few : all),
    name: "posts/s, round",
    tell: (run) => run.postsPerSecond.toFixed(1),
  });
  const rate = (side: Side) => medianOf(runs, side, (run) => run.postsPerSecond);
  const cpu = (side: Side) => medianOf(runs, side, toCpuMs);
  const costs = toCostTable(`clips of 12 s: ${toLatencyText(latencies)}`, runs);
  const overPool = [...runs.keys()].map((side) => rate(side) / rate("guide pool"));
  const lagMs = (side: Side) =>
    medianOf(runs, side, ({ worker }) => worker?.lag.p99Ms ?? Number.NaN);
  const { "posts a second": rates = [], ...rows } = costs.rows;
  return {
    tables: [
      { ...costs, rows: { "posts a second": rates, "posts over the pool's": overPool, ...rows } },
    ],
    bars: [
      {
        figure: "posts/s over the guide's pool, Redis",
        bar: { atLeast: 1.5 },
        measured: rate("clipmill redis") / rate("guide pool"),
        unit: "",
        digits: 2,
      },
      {
        figure: "posts/s over the guide's pool, embedded",
        bar: { atLeast: 1.2 },
        measured: rate("clipmill embedded") / rate("guide pool"),
        unit: "",
        digits: 2,
      },
      {
        figure: "CPU a post over the guide's pool, Redis",
        bar: { atMost: 0.7 },
        measured: cpu("clipmill redis") / cpu("guide pool"),
        unit: "",
        digits: 2,
      },
      {
        figure: "loop lag of the worker, p99, under load",
        bar: { atMost: 20 },
        measured: lagMs("clipmill redis"),
        unit: " ms",
        digits: 1,
      },
    ],
    checks: { posts_a_side: posts, serial_posts: few.length, ...toChecks("posts", runs) },
  };
}
