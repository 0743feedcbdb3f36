import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../../support/stats.ts";
import { type Shape, startClipmill } from "../clipmill.ts";
import { toPostIds } from "../post-ids.ts";
import { runScript } from "../script.ts";
import { type Bench, warmUp } from "../side.ts";
import { type Latencies, toLatencyText } from "../stand-ins.ts";
import type { PartResult } from "../tables.ts";

/** Between two posts, so that each finds everybody at rest. */
const REST_MS = 100;

/** One post at a time on a system without other work: what it takes beyond what its upstreams take. */
export async function measureSingle(
  bench: Bench,
  { posts, latencies }: { posts: number; latencies: Latencies },
): Promise<PartResult> {
  const { standIns, python } = bench;
  await standIns.setLatencies(latencies);
  const { detailMs, gpuMs, answerMs } = latencies;
  const beyond = (ms: number) => ms - detailMs - gpuMs - answerMs;
  const ids = toPostIds("short", posts);
  const run =
    python === null
      ? { postSeconds: [] }
      : await runScript(python, { origin: standIns.url, ids, mode: "serial" });
  const sides = {
    "guide serial": run.postSeconds.map((seconds) => beyond(seconds * 1_000)),
    "clipmill redis": (await timePosts(bench, ids, "redis")).map(beyond),
    "clipmill embedded": (await timePosts(bench, ids, "embedded")).map(beyond),
  };
  const p50 = (side: keyof typeof sides) => percentile(sides[side], 0.5);
  const told = Object.entries(sides).map(
    ([side, ms]) => `${side} ${percentile(ms, 0.5).toFixed()}`,
  );
  process.stderr.write(`one post, ms: ${told.join(", ")}\n`);
  const toPercentiles = (p: number) => Object.values(sides).map((ms) => percentile(ms, p));
  return {
    tables: [
      {
        title: `one post on an idle system, beyond its upstreams: ${toLatencyText(latencies)}`,
        columns: Object.keys(sides),
        rows: { "ms p50": toPercentiles(0.5), "ms p90": toPercentiles(0.9) },
      },
    ],
    bars: [
      {
        figure: "one post on an idle system, p50, Redis: slower than the guide by",
        bar: { atMost: 50 },
        measured: p50("clipmill redis") - p50("guide serial"),
        unit: " ms",
        digits: 0,
      },
    ],
    checks: { single_posts: posts },
  };
}

async function timePosts(
  { servers, standIns, directory }: Bench,
  ids: readonly string[],
  shape: Shape,
): Promise<number[]> {
  const options = { servers, shape, standInsUrl: standIns.url, directory };
  const clipmill = await startClipmill(options);
  try {
    await warmUp(clipmill);
    const times: number[] = [];
    for (const id of ids) {
      await sleep(REST_MS);
      times.push(await clipmill.timePost(id));
    }
    return times;
  } finally {
    await clipmill.close();
  }
}
