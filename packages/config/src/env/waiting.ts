import { seconds, variable } from "../variable.ts";

const MEANING =
  "How long its jobs wait for a worker, an engine, or a provider that takes our calls before they fail with that reason; 0: for ever. Set it alike for the API and all workers.";

/** How long jobs wait for what is not there. */
export const waiting = {
  MAX_WAIT_SECONDS_INTERACTIVE: variable(seconds.default(600), `Lane \`interactive\`. ${MEANING}`),
  MAX_WAIT_SECONDS_STANDARD: variable(seconds.default(21_600), "The same for the lane `standard`."),
  MAX_WAIT_SECONDS_BACKFILL: variable(
    seconds.default(604_800),
    "The same for the lane `backfill`.",
  ),
} as const;
