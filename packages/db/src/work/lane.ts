import type { JobLane } from "@clipmill/domain";

/** The lanes as SQL stores them. The lower rank goes first. */
const RANKS = { quarantine: 0, interactive: 1, standard: 2, backfill: 3 } as const satisfies Record<
  JobLane,
  number
>;

export const LANE_RANKS: readonly number[] = Object.values(RANKS);
export const QUARANTINE_RANK = RANKS.quarantine;
export const INTERACTIVE_RANK = RANKS.interactive;
export const STANDARD_RANK = RANKS.standard;
export const BACKFILL_RANK = RANKS.backfill;

/**
 * Whether to notify of changes in this lane. Not in `backfill`: nobody waits for a single post of it, while each
 * notification wakes every process. Polling finds the changes, and a busy dispatcher polls anyway.
 */
export function shouldNotify({ lane }: { lane: number }): boolean {
  return lane !== RANKS.backfill;
}

export function toLaneRank(lane: JobLane): number {
  return RANKS[lane];
}

export function toJobLane(rank: number): JobLane {
  for (const [lane, value] of Object.entries(RANKS)) if (value === rank) return lane as JobLane;
  throw new Error(`no lane has rank ${rank}`);
}
