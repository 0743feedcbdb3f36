import type { Plan } from "../../options.ts";
import type { FaultKind } from "../faults.ts";
import { toScaledMinima } from "../pace.ts";
import type { Waited } from "./hints-watch.ts";
import { BACKLOG_MIN } from "./invariants.ts";
import type { VerdictCounts } from "./verdict-counts.ts";

/** What faults a run has made so far. */
export interface Disturbed {
  kills: number;
  faults: Partial<Record<FaultKind, number>>;
}

/** What a run has done so far. */
export interface Figures extends Disturbed, VerdictCounts {
  /** Acknowledged. */
  requests: number;
  fenced: number;
  /** Steps that ran without a hint, where the step before them had ended. */
  startedEagerly: number;
  reconciled: number;
  /** Open requests that lost their jobs to the fault `strand`, and those that a reconciler said it had found. */
  stranded: number;
  replanned: number;
  waited: Waited;
}

/** What a run has not done that a machine of this slowness must do; it proves nothing then. */
export function findShortfalls(
  figures: Figures,
  { minima: ofPlan, kinds }: Plan,
  slowness: number,
): string[] {
  const minima = toScaledMinima(ofPlan, slowness);
  const floor = (what: string, value: number, least: number) =>
    value < least ? [`${what}: ${value}, at least ${least} are needed`] : [];
  return [
    ...floor("requests", figures.requests, minima.requests),
    ...floor("kills", figures.kills, minima.kills),
    ...floor("fenced writes", figures.fenced, 1),
    ...floor("steps started eagerly", figures.startedEagerly, 1),
    ...floor("reconciled rows", figures.reconciled, 1),
    ...floor("requests submitted by stages", figures.children, minima.children),
    ...floor("of them ended with their parents", figures.childrenEnded, 1),
    ...floor("resolved waits", figures.resolvedWaits, minima.resolvedWaits),
    ...floor("waits that timed out", figures.timedOutWaits, minima.timedOutWaits),
    ...floor("stale answers", figures.staleAnswers, minima.staleAnswers),
    ...(kinds.includes("strand") ? floor("stranded requests found", figures.replanned, 1) : []),
    ...(kinds.includes("poison") ? floor("poisoned jobs", figures.poisoned, 1) : []),
    ...floor("backlog behind the queues", figures.waited.backlog, BACKLOG_MIN),
    ...Object.entries(figures.faults).flatMap(([kind, count]) => floor(kind, count, minima.faults)),
  ];
}
