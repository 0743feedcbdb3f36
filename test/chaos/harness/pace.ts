import type { Minima } from "../options.ts";
import type { Fleet } from "./fleet.ts";

/**
 * How long one of our processes takes to start beside the rest of its fleet, on the two cores on which the minima were
 * chosen, with nothing else to do. Measured: `npm run test:chaos`, "starts of … ms".
 */
const START_MS = 1_500;
/** Slower than that, and a run proves too little to be worth its time: it falls short instead. */
const SLOWNESS_MAX = 5;

/** How much slower than the machine of the minima this one is now: 1 to 5. Known from what it did, not from what it is. */
export function toSlowness({ startMs }: Pick<Fleet, "startMs">): number {
  return Math.min(SLOWNESS_MAX, Math.max(1, startMs() / START_MS));
}

/** What a machine must do that is slower by so much. At least one of everything, or a run proves nothing. */
export function toScaledMinima(minima: Minima, slowness: number): Minima {
  const entries = Object.entries(minima) as [keyof Minima, number][];
  const scaled = entries.map(([name, least]) => [name, Math.ceil(least / slowness)]);
  return Object.fromEntries(scaled) as Record<keyof Minima, number>;
}
