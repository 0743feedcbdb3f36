import type { PlannedStep, RequestFacts, StageState } from "@clipmill/domain";

/** A request as it is planned, with the tenant and lane that its jobs get. */
export interface AdvancingRequest extends RequestFacts {
  tenant: string;
  lane: number;
  optionsId: number;
  /** The caller's limit; null for none. */
  deadline: string | null;
  /** Credits held for it now. */
  creditsHeld: number;
  /** Keyed by the names of its steps. */
  states: Record<string, StageState | undefined>;
  /** Ids of the jobs that it is linked to already. */
  jobIds: ReadonlySet<number>;
}

/** A step that a request needs. */
export interface Wanted {
  request: AdvancingRequest;
  step: PlannedStep;
}

/** The key of a stage job in maps. */
export function toMapKey({ stage, key }: { stage: string; key: string }): string {
  return `${stage} ${key}`;
}
