import type { PartResult } from "./bars.ts";
import type { ClipCounts } from "./clips.ts";
import { type PostKindName, toPostIds } from "./post-ids.ts";
import { type Bench, runClipmill, runGuide, type SideRun } from "./side.ts";
import { medianOf, toChecks, toCpuMedians, withoutNaN } from "./throughput.ts";

/** Of all posts. Those with text in their pictures are left out where tesseract is missing. */
const SHARES: Record<PostKindName, number> = {
  short: 0.7,
  minute: 0.12,
  long: 0.03,
  slideshow: 0.07,
  silent: 0.08,
};
const READS_PICTURES: readonly string[] = ["slideshow", "silent"];

/** At least one of each kind. */
export function toMixCounts(
  posts: number,
  { hasTesseract }: { hasTesseract: boolean },
): ClipCounts {
  const kinds = Object.entries(SHARES) as [PostKindName, number][];
  return Object.fromEntries(
    kinds
      .filter(([kind]) => hasTesseract || !READS_PICTURES.includes(kind))
      .map(([kind, share]) => [kind, Math.max(1, Math.round(posts * share))]),
  );
}

/** Everything that people post, with upstreams that answer at once. */
export async function measureMix(
  bench: Bench,
  { rounds, counts }: { rounds: number; counts: ClipCounts },
): Promise<PartResult> {
  await bench.standIns.setLatencies({ detailMs: 0, gpuMs: 0, answerMs: 0 });
  const entries = Object.entries(counts) as [PostKindName, number][];
  const ids = interleave(entries.map(([kind, count]) => toPostIds(kind, count)));
  const runs = {
    guide_pool: [] as SideRun[],
    clipmill_redis: [] as SideRun[],
    clipmill_embedded: [] as SideRun[],
  };
  for (let round = 1; round <= rounds; round++) {
    if (bench.python !== null) runs.guide_pool.push(await runGuide(bench, ids, "pool"));
    runs.clipmill_redis.push(await runClipmill(bench, ids, "redis"));
    runs.clipmill_embedded.push(await runClipmill(bench, ids, "embedded"));
    const line = Object.entries(runs).map(
      ([name, all]) => `${name} ${all.at(-1)?.postsPerSecond.toFixed(1) ?? "-"}`,
    );
    process.stderr.write(`mix ${round}: ${line.join(", ")} posts/s\n`);
  }
  const medians: Record<string, number> = {};
  for (const [name, all] of Object.entries(runs)) {
    if (all.length === 0) continue;
    medians[`${name}_mix_posts_per_second`] = medianOf(all, (run) => run.postsPerSecond);
    Object.assign(medians, toCpuMedians(`${name}_mix`, all, ids.length));
  }
  const lag = (read: "p50Ms" | "p99Ms" | "maxMs") =>
    medianOf(runs.clipmill_redis, ({ worker }) => worker?.lag[read] ?? Number.NaN);
  Object.assign(medians, {
    mix_loop_lag_ms_p50: lag("p50Ms"),
    mix_loop_lag_ms_p99: lag("p99Ms"),
    mix_loop_lag_ms_max: lag("maxMs"),
  });
  return {
    medians: withoutNaN(medians),
    bars: [],
    checks: {
      mix_posts: entries.map(([kind, count]) => `${count} ${kind}`).join(", "),
      mix_differs:
        "clipmill reads the frames of a silent video and the guide its cover; both read every picture of a slideshow",
      ...toChecks(runs),
    },
  };
}

/** Each kind spread over the whole list, as it would be in a list from elsewhere. */
function interleave(lists: readonly string[][]): string[] {
  return lists
    .flatMap((list) => list.map((id, n) => ({ id, place: (n + 0.5) / list.length })))
    .sort((a, b) => a.place - b.place)
    .map(({ id }) => id);
}
