import { median } from "../support/stats.ts";
import type { PartResult } from "./bars.ts";
import { toPostIds } from "./post-ids.ts";
import { type Bench, runClipmill, runGuide, type SideRun } from "./side.ts";

const SIDES = ["serial", "pool", "redis", "embedded"] as const;
type Side = (typeof SIDES)[number];
export type SideRuns = Record<Side, SideRun[]>;

const NAMES: Record<Side, string> = {
  serial: "guide_serial",
  pool: "guide_pool",
  redis: "clipmill_redis",
  embedded: "clipmill_embedded",
};

/** The serial script needs fewer posts: it has no start and no end at which it does less. */
const SERIAL_SHARE = 0.5;

/** All four sides in turn, so that what else happens on the machine happens to all of them. */
export async function measureThroughput(
  bench: Bench,
  { rounds, posts }: { rounds: number; posts: number },
): Promise<PartResult> {
  await bench.standIns.setLatencies({ detailMs: 0, gpuMs: 0, answerMs: 0 });
  const ids = toPostIds("short", posts);
  const runs: SideRuns = { serial: [], pool: [], redis: [], embedded: [] };
  for (let round = 1; round <= rounds; round++) {
    if (bench.python !== null) {
      const few = ids.slice(0, Math.ceil(posts * SERIAL_SHARE));
      runs.serial.push(await runGuide(bench, few, "serial"));
      runs.pool.push(await runGuide(bench, ids, "pool"));
    }
    runs.redis.push(await runClipmill(bench, ids, "redis"));
    runs.embedded.push(await runClipmill(bench, ids, "embedded"));
    const line = SIDES.flatMap((side) => {
      const last = runs[side].at(-1);
      return last === undefined ? [] : `${NAMES[side]} ${last.postsPerSecond.toFixed(1)}`;
    });
    process.stderr.write(`round ${round}: ${line.join(", ")} posts/s\n`);
  }
  return toResult(runs, posts);
}

/** NaN where there are no runs. */
export function medianOf(runs: readonly SideRun[], read: (run: SideRun) => number): number {
  return runs.length === 0 ? Number.NaN : median(runs.map(read));
}

function toResult(runs: SideRuns, posts: number): PartResult {
  const rate = (side: Side) => medianOf(runs[side], (run) => run.postsPerSecond);
  const cpu = (side: Side) => medianOf(runs[side], (run) => run.cpuMsPerPost);
  const lag = (read: "p50Ms" | "p99Ms" | "maxMs") =>
    medianOf(runs.redis, ({ worker }) => worker?.lag[read] ?? Number.NaN);
  const over = (side: Side) => rate(side) / rate("pool");
  const medians: Record<string, number> = {};
  for (const side of SIDES) {
    if (runs[side].length === 0) continue;
    medians[`${NAMES[side]}_posts_per_second`] = rate(side);
    Object.assign(medians, toCpuMedians(NAMES[side], runs[side], posts, side));
  }
  Object.assign(medians, {
    redis_over_pool: over("redis"),
    embedded_over_pool: over("embedded"),
    loop_lag_ms_p50: lag("p50Ms"),
    loop_lag_ms_p99: lag("p99Ms"),
    loop_lag_ms_max: lag("maxMs"),
    loop_utilization: medianOf(runs.redis, ({ worker }) => worker?.lag.utilization ?? Number.NaN),
    worker_peak_mb: medianOf(runs.redis, ({ worker }) => (worker?.peakBytes ?? Number.NaN) / 1e6),
  });
  return {
    medians: withoutNaN(medians),
    bars: [
      {
        figure: "posts/s over the guide's pool, Redis",
        ...{ bar: { atLeast: 1.5 }, measured: over("redis"), unit: "", digits: 2 },
      },
      {
        figure: "posts/s over the guide's pool, embedded",
        ...{ bar: { atLeast: 1.2 }, measured: over("embedded"), unit: "", digits: 2 },
      },
      {
        figure: "CPU a post over the guide's pool, Redis",
        ...{ bar: { atMost: 0.7 }, measured: cpu("redis") / cpu("pool"), unit: "", digits: 2 },
      },
      {
        figure: "loop lag of the worker, p99, under load",
        ...{ bar: { atMost: 20 }, measured: lag("p99Ms"), unit: " ms", digits: 1 },
      },
    ],
    checks: { posts_a_side: posts, ...toChecks(runs) },
  };
}

/** In ms a post, by who used it. */
export function toCpuMedians(
  name: string,
  runs: readonly SideRun[],
  posts: number,
  side: Side | "mix" = "mix",
): Record<string, number> {
  const count = side === "serial" ? Math.ceil(posts * SERIAL_SHARE) : posts;
  const parts = Object.keys(runs[0]?.cpu ?? {}).filter((part) => part !== "bench");
  const toMs = (part: string) => medianOf(runs, (run) => ((run.cpu[part] ?? 0) / count) * 1_000);
  return {
    [`${name}_cpu_ms_a_post`]: medianOf(runs, (run) => run.cpuMsPerPost),
    ...Object.fromEntries(
      parts.map((part) => [
        `${name}_cpu_ms_of_${part.replace("'s ", "_").replace("-", "_")}`,
        toMs(part),
      ]),
    ),
  };
}

/** What a figure rests on: no sound came twice, and nothing else used the machine. */
export function toChecks(runs: Record<string, readonly SideRun[]>): PartResult["checks"] {
  const all = Object.values(runs).flat();
  const explained = all.map((run) => run.explainedShare);
  return {
    sounds_heard_once: all.every(({ standIns }) => standIns.distinctSounds === standIns.clips),
    cpu_explained_at_least: Number(Math.min(...explained).toFixed(2)),
    cpu_explained_at_most: Number(Math.max(...explained).toFixed(2)),
  };
}

export function withoutNaN(medians: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(medians).filter(([, value]) => !Number.isNaN(value)));
}
