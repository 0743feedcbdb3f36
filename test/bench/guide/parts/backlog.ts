import { toPostIds } from "../post-ids.ts";
import { medianOf, runRounds, toChecks, toRow } from "../rounds.ts";
import type { Bench, Side } from "../side.ts";
import { type Latencies, toLatencyText } from "../stand-ins.ts";
import type { PartResult } from "../tables.ts";

const SIDES: readonly Side[] = ["guide pool", "clipmill redis", "clipmill embedded"];

/** How often the one GPU stands still while posts wait for it. */
export async function measureBacklog(
  bench: Bench,
  { rounds, posts, latencies }: { rounds: number; posts: number; latencies: Latencies },
): Promise<PartResult> {
  await bench.standIns.setLatencies(latencies);
  const ids = toPostIds("short", posts);
  const runs = await runRounds(bench, {
    rounds,
    sides: SIDES,
    ids: () => ids,
    name: "GPU idle, round",
    tell: ({ standIns }) => `${(standIns.idleShare * 100).toFixed(1)} %`,
  });
  return {
    tables: [
      {
        title: `a backlog: ${toLatencyText(latencies)}`,
        columns: [...runs.keys()],
        rows: {
          "GPU idle %": toRow(runs, ({ standIns }) => standIns.idleShare * 100),
          "GPU waits ms p50": toRow(runs, ({ standIns }) => standIns.waitMsP50),
          "GPU waits ms p95": toRow(runs, ({ standIns }) => standIns.waitMsP95),
          "backlog posts a second": toRow(runs, (run) => run.postsPerSecond),
        },
      },
    ],
    bars: [
      {
        figure: "GPU idle in a backlog, Redis",
        bar: { atMost: 3 },
        measured: medianOf(runs, "clipmill redis", ({ standIns }) => standIns.idleShare * 100),
        unit: " %",
        digits: 1,
      },
    ],
    checks: { backlog_posts: posts, backlog_rounds: rounds, ...toChecks("backlog", runs) },
  };
}
