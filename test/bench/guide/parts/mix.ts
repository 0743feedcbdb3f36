import type { ClipCounts } from "../clips.ts";
import { type PostKindName, toPostIds } from "../post-ids.ts";
import { runRounds, toChecks, toCostTable } from "../rounds.ts";
import type { Bench, Side } from "../side.ts";
import { type Latencies, toLatencyText } from "../stand-ins.ts";
import type { PartResult } from "../tables.ts";

const SIDES: readonly Side[] = ["guide pool", "clipmill redis", "clipmill embedded"];
/** Of all posts. Those with text in their pictures are left out where tesseract is missing. */
const SHARES: Partial<Record<PostKindName, number>> = {
  short: 0.7,
  minute: 0.12,
  long: 0.03,
  slideshow: 0.07,
  silent: 0.08,
};
const NEEDS_TESSERACT: readonly string[] = ["slideshow", "silent"];

/** At least one of each kind. */
export function toMixCounts(
  posts: number,
  { hasTesseract }: { hasTesseract: boolean },
): ClipCounts {
  const kinds = Object.entries(SHARES) as [PostKindName, number][];
  return Object.fromEntries(
    kinds
      .filter(([kind]) => hasTesseract || !NEEDS_TESSERACT.includes(kind))
      .map(([kind, share]) => [kind, Math.max(1, Math.round(posts * share))]),
  );
}

/** Everything that people post. */
export async function measureMix(
  bench: Bench,
  { rounds, counts, latencies }: { rounds: number; counts: ClipCounts; latencies: Latencies },
): Promise<PartResult> {
  await bench.standIns.setLatencies(latencies);
  const entries = Object.entries(counts) as [PostKindName, number][];
  const ids = interleave(entries.map(([kind, count]) => toPostIds(kind, count)));
  const runs = await runRounds(bench, {
    rounds,
    sides: SIDES,
    ids: () => ids,
    name: "mixed posts/s, round",
    tell: (run) => run.postsPerSecond.toFixed(1),
  });
  return {
    tables: [toCostTable(`media of all kinds: ${toLatencyText(latencies)}`, runs)],
    bars: [],
    checks: {
      mixed_posts: entries.map(([kind, count]) => `${count} ${kind}`).join(", "),
      mixed_differs:
        "of a silent video clipmill reads frames and the guide the cover; both read each picture of a slideshow",
      ...toChecks("mixed", runs),
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
