import type { PlannedStep, RequestFacts, StageState } from "@clipmill/domain";

/** A request on its way through the planner, with where its work is booked. */
export interface AdvancingRequest extends RequestFacts {
  tenant: string;
  lane: number;
  optionsId: number;
  /** After this nobody wants the result; null where the caller waits as long as it takes. */
  deadline: string | null;
  /** Credits held for it now. */
  creditsHeld: number;
  /** By the names of its steps. */
  states: Record<string, StageState | undefined>;
  /** Of the jobs that it rests on already. */
  jobIds: ReadonlySet<number>;
}

/** A step that a request wants done. */
export interface Wanted {
  request: AdvancingRequest;
  step: PlannedStep;
}

/** Names a stage job in maps of one transaction. */
export function toMapKey({ stage, key }: { stage: string; key: string }): string {
  return `${stage} ${key}`;
}
