import type {
  CurrentArtifacts,
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

export interface StepRule<In, Out = unknown> {
  /** Names of the stages that must be settled before this one is looked at. */
  after: readonly string[];
  /** The stage's input, or null where this post does not need it. */
  input(progress: Progress): In | null;
  /** What a skip means: the request goes on without this part (default), or ends `skipped`. */
  onSkip?: "end";
  /** What a failure means: the request fails (default), or goes on with a warning. */
  onFailure?: "warn";
  /** What a result that is poorer than it could be says of itself. Default: nothing. */
  warning?(output: Out): StepWarning | null;
}

export type StepWarning = Pick<Warning, "code" | "message">;

/** A step with its types closed over, so that steps of different stages fit one list. */
export interface Step {
  readonly name: string;
  readonly after: readonly string[];
  readonly onSkip: "end" | "go-on";
  readonly onFailure: "fail" | "warn";
  plan(progress: Progress): PlannedStep | null;
  findWarning(output: unknown): StepWarning | null;
}

export function step<In, Out>(stage: StageSpec<In, Out>, rule: StepRule<In, Out>): Step {
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
    findWarning: (output) => rule.warning?.(stage.output.parse(output)) ?? null,
  };
}

/** What of the outputs is current for the post from now on. */
export type FindArtifacts = (progress: Progress) => CurrentArtifacts;

/** A planner that says what its steps are. */
export interface StepPlanner extends Planner {
  /** Names of the steps' stages, in order: each of them needs a processor somewhere. */
  readonly stages: readonly string[];
  /** Names of the stages that wait for this one. */
  next(stage: string): readonly string[];
}

/**
 * Turns the list of steps into the pure function that runs inside the transaction which finishes a stage. Without
 * `findArtifacts` nothing becomes current.
 */
export function createPlanner(
  steps: readonly Step[],
  findArtifacts: FindArtifacts = () => ({
    transcriptKey: null,
    screenTextKey: null,
    answerKey: null,
  }),
): StepPlanner {
  const plan: Planner = (request, states) => {
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
      const warning = state.state === "done" ? each.findWarning(state.output) : state;
      if (warning !== null)
        warnings.push({ stage: each.name, code: warning.code, message: warning.message });
      settled.add(each.name);
    }
    if (settled.size < steps.length || postId === null)
      return { kind: "steps", steps: planned, postId };
    return { kind: "done", postId, warnings, artifacts: findArtifacts(progress) };
  };
  const next = (stage: string) =>
    steps.filter(({ after }) => after.includes(stage)).map(({ name }) => name);
  const nextByStage = new Map(steps.map(({ name }) => [name, next(name)]));
  return Object.assign(plan, {
    stages: steps.map(({ name }) => name),
    next: (stage: string) => nextByStage.get(stage) ?? [],
  });
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

/** Where the link held no id, the stage that found it names it in its output. */
function findPostId(request: RequestFacts, states: StageStates): PostId | null {
  if (request.postId !== null) return request.postId;
  for (const state of Object.values(states)) {
    if (state?.state !== "done" || typeof state.output !== "object" || state.output === null)
      continue;
    const value: unknown = Reflect.get(state.output, "postId");
    if (typeof value === "string") return value;
  }
  return null;
}
