import { setTimeout as sleep } from "node:timers/promises";
import type { PartResult } from "./bars.ts";
import { startClipmill } from "./clipmill.ts";
import { readMemory } from "./cpu.ts";
import { toPostIds } from "./post-ids.ts";
import type { Bench } from "./side.ts";
import type { Latencies } from "./stand-ins.ts";

const LOOK_EVERY_MS = 250;

/** The memory of a worker that works on a long list. */
export async function measureWaiting(
  { servers, standIns, directory }: Bench,
  { posts, seconds, latencies }: { posts: number; seconds: number; latencies: Latencies },
): Promise<PartResult> {
  await standIns.setLatencies(latencies);
  const options = { servers, standInsUrl: standIns.url, directory, shape: "redis" as const };
  const clipmill = await startClipmill(options);
  try {
    await standIns.reset();
    await clipmill.submit(toPostIds("short", posts));
    const { worker } = clipmill.pids;
    const seen: number[] = [];
    for (const until = performance.now() + seconds * 1_000; performance.now() < until;) {
      seen.push(readMemory(worker).rssBytes);
      await sleep(LOOK_EVERY_MS);
    }
    const { clips } = await standIns.report();
    if (clips === 0) throw new Error("none of the waiting posts was worked on");
    const { peakBytes } = readMemory(worker);
    process.stderr.write(`${posts} waiting: peak ${(peakBytes / 1e6).toFixed(0)} MB\n`);
    return {
      medians: {
        worker_peak_mb_with_posts_waiting: peakBytes / 1e6,
        worker_last_mb_with_posts_waiting: (seen.at(-1) ?? Number.NaN) / 1e6,
      },
      bars: [
        {
          figure: `worker's RSS, peak, with ${posts.toLocaleString("en")} posts waiting`,
          ...{ bar: { atMost: 250 }, measured: peakBytes / 1e6, unit: " MB", digits: 0 },
        },
      ],
      checks: { waiting_posts: posts, waiting_seconds: seconds, waiting_clips_heard: clips },
    };
  } finally {
    await clipmill.close();
  }
}
