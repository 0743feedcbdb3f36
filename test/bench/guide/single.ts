import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../support/stats.ts";
import type { PartResult } from "./bars.ts";
import { type Shape, startClipmill } from "./clipmill.ts";
import { toPostIds } from "./post-ids.ts";
import { runScript } from "./script.ts";
import { type Bench, warmUp } from "./side.ts";
import type { Latencies } from "./stand-ins.ts";
import { withoutNaN } from "./throughput.ts";

/** Between two posts, so that each finds everybody at rest. */
const REST_MS = 100;
const SLOWER_MAX_MS = 50;

/** One post at a time on a system without other work: what it takes beyond what its upstreams take. */
export async function measureSingle(
  bench: Bench,
  { posts, latencies }: { posts: number; latencies: Latencies },
): Promise<PartResult> {
  const { standIns, python } = bench;
  await standIns.setLatencies(latencies);
  const upstreamMs = latencies.detailMs + latencies.gpuMs + latencies.answerMs;
  const ids = toPostIds("short", posts);
  const guide: number[] = [];
  if (python !== null) {
    const run = await runScript(python, { origin: standIns.url, ids, mode: "serial" });
    guide.push(...run.postSeconds.map((seconds) => seconds * 1_000 - upstreamMs));
  }
  const redis = await timePosts(bench, ids, "redis", upstreamMs);
  const embedded = await timePosts(bench, ids, "embedded", upstreamMs);
  const p50 = (all: readonly number[]) => percentile(all, 0.5);
  const toLine = (all: readonly number[]) => (all.length === 0 ? "-" : p50(all).toFixed(0));
  process.stderr.write(
    `one post: guide ${toLine(guide)}, Redis ${toLine(redis)}, embedded ${toLine(embedded)} ms\n`,
  );
  return {
    medians: withoutNaN({
      guide_one_post_ms_p50: p50(guide),
      clipmill_redis_one_post_ms_p50: p50(redis),
      clipmill_redis_one_post_ms_p99: percentile(redis, 0.99),
      clipmill_embedded_one_post_ms_p50: p50(embedded),
    }),
    bars: [
      {
        figure: "one post on an idle system, p50, slower than the guide by",
        ...{ bar: { atMost: SLOWER_MAX_MS }, measured: p50(redis) - p50(guide) },
        ...{ unit: " ms", digits: 0 },
      },
    ],
    checks: { single_posts: posts },
  };
}

async function timePosts(
  { servers, standIns, directory }: Bench,
  ids: readonly string[],
  shape: Shape,
  upstreamMs: number,
): Promise<number[]> {
  const options = { servers, shape, standInsUrl: standIns.url, directory };
  const clipmill = await startClipmill(options);
  try {
    await warmUp(clipmill);
    const times: number[] = [];
    for (const id of ids) {
      await sleep(REST_MS);
      times.push((await clipmill.timePost(id)) - upstreamMs);
    }
    return times;
  } finally {
    await clipmill.close();
  }
}
