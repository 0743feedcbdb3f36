import type { ErrorCode, RequestFacts, StageState, StageStates } from "@clipmill/domain";

/** The part of a stage that is needed to read its output. */
interface Readable<Out> {
  name: string;
  output: { parse(value: unknown): Out };
}

/** What the input of a step is made from: the request, and the outputs of the stages that are done. */
export interface Progress {
  readonly request: RequestFacts;
  /** Undefined if the stage did not run, was skipped or failed. `variant` is for a stage that stands several times. */
  output<Out>(stage: Readable<Out>, variant?: string): Out | undefined;
  /** The outputs of a stage that stands several times, by variant; `""` is the one without a variant. */
  outputs<Out>(stage: Readable<Out>): Readonly<Record<string, Out>>;
  /** Why a stage that has ended has no output: the code of its skip or failure. Null if it has one, or did not run. */
  gap(stage: { readonly name: string }): ErrorCode | null;
}

export function toProgress(request: RequestFacts, states: StageStates): Progress {
  const read = <Out>(stage: Readable<Out>, state: StageState | undefined): Out | undefined =>
    state?.state === "done" ? stage.output.parse(state.output) : undefined;
  return {
    request,
    output: (stage, variant = "") => read(stage, states[toStepName(stage.name, variant)]),
    outputs<Out>(stage: Readable<Out>) {
      const prefix = `${stage.name}.`;
      const found: Record<string, Out> = {};
      for (const [name, state] of Object.entries(states)) {
        const output = `${name}.`.startsWith(prefix) ? read(stage, state) : undefined;
        if (output !== undefined) found[name.slice(prefix.length)] = output;
      }
      return found;
    },
    gap({ name }) {
      const state = states[name];
      return state?.state === "skipped" || state?.state === "failed" ? state.code : null;
    },
  };
}

/** The name of a step in a plan. */
export function toStepName(stage: string, variant: string): string {
  return variant === "" ? stage : `${stage}.${variant}`;
}
