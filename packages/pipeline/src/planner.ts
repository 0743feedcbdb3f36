import type {
  CurrentArtifacts,
  Plan,
  PlannedStep,
  Planner,
  PostId,
  RequestFacts,
  StageSpec,
  StageStates,
  Warning,
} from "@clipmill/domain";

/** What a step may look at: the request, and the outputs of the stages that are done. */
export interface Progress {
  readonly request: RequestFacts;
  /** Undefined where the stage did not run, was skipped or failed. */
  output<Out>(stage: { name: string; output: { parse(value: unknown): Out } }): Out | undefined;
}

export interface StepRule<In> {
  /** Names of the stages that must be settled before this one is looked at. */
  after: readonly string[];
  /** The stage's input, or null where this post does not need it. */
  input(progress: Progress): In | null;
  /** What a skip means: the request goes on without this part (default), or ends `skipped`. */
  onSkip?: "end";
  /** What a failure means: the request fails (default), or goes on with a warning. */
  onFailure?: "warn";
}

/** A step with its types closed over, so that steps of different stages fit one list. */
export interface Step {
  readonly name: string;
  readonly after: readonly string[];
  readonly onSkip: "end" | "go-on";
  readonly onFailure: "fail" | "warn";
  plan(progress: Progress): PlannedStep | null;
}

export function step<In, Out>(stage: StageSpec<In, Out>, rule: StepRule<In>): Step {
  return {
    name: stage.name,
    after: rule.after,
    onSkip: rule.onSkip ?? "go-on",
    onFailure: rule.onFailure ?? "fail",
    plan(progress) {
      const input = rule.input(progress);
      return input === null
        ? null
        : { stage: stage.name, queue: stage.queue, key: stage.key(input), input };
    },
  };
}

/** Turns the list of steps into the pure function that runs inside the transaction which finishes a stage. */
export function createPlanner(steps: readonly Step[]): Planner {
  return (request, states) => {
    const settled = new Set<string>();
    const planned: PlannedStep[] = [];
    const warnings: Warning[] = [];
    const progress = toProgress(request, states);
    const postId = findPostId(request, states);
    for (const each of steps) {
      if (!each.after.every((name) => settled.has(name))) continue;
      const state = states[each.name];
      if (state === undefined) {
        const next = each.plan(progress);
        if (next === null) settled.add(each.name);
        else planned.push(next);
        continue;
      }
      if (state.state === "open") continue;
      if (state.state === "skipped" && each.onSkip === "end") {
        return {
          kind: "skipped",
          postId,
          stage: each.name,
          code: state.code,
          message: state.message,
        };
      }
      if (state.state === "failed" && each.onFailure === "fail") {
        return {
          kind: "failed",
          postId,
          stage: each.name,
          code: state.code,
          message: state.message,
        };
      }
      if (state.state !== "done")
        warnings.push({ stage: each.name, code: state.code, message: state.message });
      settled.add(each.name);
    }
    if (settled.size < steps.length || postId === null)
      return { kind: "steps", steps: planned, postId };
    return { kind: "done", postId, warnings, artifacts: toArtifacts(states) } satisfies Plan;
  };
}

function toProgress(request: RequestFacts, states: StageStates): Progress {
  return {
    request,
    output(stage) {
      const state = states[stage.name];
      return state?.state === "done" ? stage.output.parse(state.output) : undefined;
    },
  };
}

function findPostId(request: RequestFacts, states: StageStates): PostId | null {
  return request.postId ?? findText(states, "postId");
}

/** Stages that store an artifact name its key in their output. */
function toArtifacts(states: StageStates): CurrentArtifacts {
  return {
    transcriptKey: findText(states, "transcriptKey"),
    screenTextKey: findText(states, "screenTextKey"),
    answerKey: findText(states, "answerKey"),
  };
}

function findText(states: StageStates, name: string): string | null {
  for (const state of Object.values(states)) {
    if (state?.state !== "done" || typeof state.output !== "object" || state.output === null)
      continue;
    const value: unknown = Reflect.get(state.output, name);
    if (typeof value === "string") return value;
  }
  return null;
}
