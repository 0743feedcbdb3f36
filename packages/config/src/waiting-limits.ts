import type { Config } from "./config.ts";

/** How long jobs of each lane may wait for what is not there, in ms. A lane that is missing may wait for ever. */
export function toWaitingLimits(
  config: Config,
): Partial<Record<"interactive" | "standard" | "backfill", number>> {
  const limits = {
    interactive: config.MAX_WAIT_SECONDS_INTERACTIVE,
    standard: config.MAX_WAIT_SECONDS_STANDARD,
    backfill: config.MAX_WAIT_SECONDS_BACKFILL,
  };
  return Object.fromEntries(
    Object.entries(limits)
      .filter(([, seconds]) => seconds > 0)
      .map(([lane, seconds]) => [lane, seconds * 1_000]),
  );
}
