import type { ErrorCode, PostId, RequestFacts, StageState, StageStates } from "@clipmill/domain";

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

/** As `StageState`; or done, with an output that this version of the program cannot read. */
export type ReadState = StageState | { state: "unreadable" };
export type ReadStates = Readonly<Record<string, ReadState | undefined>>;

/** Part of a step: whether it can read an output of its stage. */
interface Reader {
  readonly name: string;
  canRead(output: unknown): boolean;
}

/** Finds the outputs that cannot be read. Those of steps that are not in the list are nobody's business here. */
export function readStates(steps: readonly Reader[], states: StageStates): ReadStates {
  const byName = new Map(steps.map((step) => [step.name, step]));
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => {
      const [stage = ""] = name.split(".", 1);
      const canRead = state?.state !== "done" || (byName.get(stage)?.canRead(state.output) ?? true);
      return [name, canRead ? state : { state: "unreadable" }];
    }),
  );
}

/** The name of a step in a plan. */
export function toStepName(stage: string, variant: string): string {
  return variant === "" ? stage : `${stage}.${variant}`;
}

export function toProgress(request: RequestFacts, states: ReadStates): Progress {
  const read = <Out>(stage: Readable<Out>, state: ReadState | undefined): Out | undefined =>
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

/** The id that the request's link named, else the one that a stage found and put into its output. */
export function findPostId(request: RequestFacts, states: ReadStates): PostId | null {
  if (request.postId !== null) return request.postId;
  for (const state of Object.values(states)) {
    if (state?.state !== "done" || typeof state.output !== "object" || state.output === null)
      continue;
    const value: unknown = Reflect.get(state.output, "postId");
    if (typeof value === "string") return value;
  }
  return null;
}
