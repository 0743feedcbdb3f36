import type { JobLane } from "@clipmill/domain";

/** Rank in SQL: lower goes first. */
const RANKS = { solo: 0, interactive: 1, standard: 2, backfill: 3 } as const satisfies Record<
  JobLane,
  number
>;

export const SOLO_RANK = RANKS.solo;
export const INTERACTIVE_RANK = RANKS.interactive;

/**
 * Nobody waits for a single post of a backfill, and every process listens: its news are left to polling, which a busy
 * dispatcher does anyway.
 */
export function isNews({ lane }: { lane: number }): boolean {
  return lane !== RANKS.backfill;
}

export function toLaneRank(lane: JobLane): number {
  return RANKS[lane];
}

export function toJobLane(rank: number): JobLane {
  for (const [lane, value] of Object.entries(RANKS)) if (value === rank) return lane as JobLane;
  throw new Error(`no lane has rank ${rank}`);
}
