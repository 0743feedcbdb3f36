import { setTimeout as sleep } from "node:timers/promises";
import { startClipmill } from "../clipmill.ts";
import { readMemory } from "../cpu.ts";
import { toPostIds } from "../post-ids.ts";
import type { Bench } from "../side.ts";
import type { Latencies } from "../stand-ins.ts";
import type { PartResult } from "../tables.ts";

const LOOK_EVERY_MS = 250;
const BEGINS_WITHIN_MS = 60_000;

/** The memory of a worker that works on a long list, `seconds` from its first clip on. */
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
    await untilFirstClip({ standIns });
    await sleep(seconds * 1_000);
    const { rssBytes, peakBytes } = readMemory(clipmill.pids.worker);
    const { clips } = await standIns.report();
    process.stderr.write(`${posts} posts waiting: peak ${(peakBytes / 1e6).toFixed()} MB\n`);
    return {
      tables: [
        {
          title: `with ${posts.toLocaleString("en")} posts waiting`,
          columns: ["clipmill redis"],
          rows: {
            "worker's peak RSS MB, waiting": [peakBytes / 1e6],
            "worker's last RSS MB, waiting": [rssBytes / 1e6],
          },
        },
      ],
      bars: [
        {
          figure: `worker's RSS, peak, with ${posts.toLocaleString("en")} posts waiting`,
          bar: { atMost: 250 },
          measured: peakBytes / 1e6,
          unit: " MB",
          digits: 0,
        },
      ],
      checks: { waiting_posts: posts, waiting_seconds: seconds, waiting_clips_heard: clips },
    };
  } finally {
    await clipmill.close();
  }
}

async function untilFirstClip({ standIns }: Pick<Bench, "standIns">): Promise<void> {
  for (const until = Date.now() + BEGINS_WITHIN_MS; Date.now() < until;) {
    if ((await standIns.report()).clips > 0) return;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error("none of the waiting posts was worked on");
}
