import type { PartResult } from "./bars.ts";
import { toPostIds } from "./post-ids.ts";
import { type Bench, runClipmill, runGuide, type SideRun } from "./side.ts";
import type { Latencies } from "./stand-ins.ts";
import { medianOf, toChecks, withoutNaN } from "./throughput.ts";

const SIDES = {
  guide_pool: "pool",
  clipmill_redis: "redis",
  clipmill_embedded: "embedded",
} as const;

/** How often the one GPU stands still while posts wait for it. */
export async function measureBacklog(
  bench: Bench,
  { rounds, posts, latencies }: { rounds: number; posts: number; latencies: Latencies },
): Promise<PartResult> {
  await bench.standIns.setLatencies(latencies);
  const ids = toPostIds("short", posts);
  const runs: Record<keyof typeof SIDES, SideRun[]> = {
    guide_pool: [],
    clipmill_redis: [],
    clipmill_embedded: [],
  };
  for (let round = 1; round <= rounds; round++) {
    if (bench.python !== null) runs.guide_pool.push(await runGuide(bench, ids, "pool"));
    runs.clipmill_redis.push(await runClipmill(bench, ids, "redis"));
    runs.clipmill_embedded.push(await runClipmill(bench, ids, "embedded"));
    const line = Object.entries(runs).flatMap(([name, sideRuns]) => {
      const idle = sideRuns.at(-1)?.standIns.idleShare;
      return idle === undefined ? [] : `${name} ${(idle * 100).toFixed(1)} %`;
    });
    process.stderr.write(`backlog ${round}: GPU idle: ${line.join(", ")}\n`);
  }
  const idle = (name: keyof typeof SIDES) =>
    medianOf(runs[name], ({ standIns }) => standIns.idleShare * 100);
  const medians = Object.entries(runs).flatMap(([name, sideRuns]): [string, number][] => [
    [`${name}_gpu_idle_percent`, medianOf(sideRuns, ({ standIns }) => standIns.idleShare * 100)],
    [`${name}_gpu_waits_ms_p50`, medianOf(sideRuns, ({ standIns }) => standIns.waitMsP50)],
    [`${name}_backlog_posts_per_second`, medianOf(sideRuns, (run) => run.postsPerSecond)],
  ]);
  const { detailMs, gpuMs, answerMs } = latencies;
  const { sounds_heard_once = false } = toChecks(runs);
  return {
    medians: withoutNaN(Object.fromEntries(medians)),
    bars: [
      {
        figure: "GPU idle in a backlog, Redis",
        ...{ bar: { atMost: 3 }, measured: idle("clipmill_redis"), unit: " %", digits: 1 },
      },
    ],
    checks: {
      backlog_posts: posts,
      backlog_latencies: `detail ${detailMs} ms, GPU ${gpuMs} ms a clip, answer ${answerMs} ms`,
      backlog_sounds_heard_once: sounds_heard_once,
    },
  };
}
