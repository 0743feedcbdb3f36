import type {
  ArtifactKeys,
  EndedJob,
  Plan,
  PlannedStep,
  Planner,
  RequestFacts,
  StageSpec,
  StageState,
  StageStates,
  Warning,
} from "@clipmill/domain";
import {
  findPostId,
  type Progress,
  readStates,
  type ReadStates,
  toProgress,
  toStepName,
} from "./progress.ts";

export type { Progress } from "./progress.ts";

export interface StepRule<In, Out = unknown> {
  /** The stages that must have ended before this step is planned. Each must stand before it in the list. */
  after: readonly { readonly name: string }[];
  /** The variants of the stage for this request, such as one for each answer asked for. Default: one step without. */
  each?(request: RequestFacts): readonly string[];
  /** The stage's input, or null if this request does not need the step. `variant` is one of `each`, else "". */
  input(progress: Progress, variant: string): In | null;
  /** What a skip does: the request goes on without this part (default), or ends as `skipped`. */
  onSkip?: "end";
  /** What a failure does: the request fails (default), or goes on with a warning. */
  onFailure?: "warn";
  /** Warnings for an output that lacks something; null if it lacks nothing. Default: none. */
  warning?(output: Out): StepWarning | readonly StepWarning[] | null;
  /** The failure of a request for which an output leaves nothing to give; null if there is. Default: none. */
  failure?(output: Out, request: RequestFacts): StepWarning | null;
}

export type StepWarning = Pick<Warning, "code" | "message">;

/** A step without type parameters, so that steps of different stages fit into one list. */
export interface Step {
  /** The stage's name. */
  readonly name: string;
  readonly after: readonly string[];
  readonly onSkip: "end" | "go-on";
  readonly onFailure: "fail" | "warn";
  variants(request: RequestFacts): readonly string[];
  plan(progress: Progress, variant: string): PlannedStep | null;
  /** Whether this version of the program can read an output of the stage. */
  canRead(output: unknown): boolean;
  findWarnings(output: unknown): readonly StepWarning[];
  findFailure(output: unknown, request: RequestFacts): StepWarning | null;
  mustRerun(job: EndedJob): boolean;
}

const ONCE = [""];

export function step<In, Out>(stage: StageSpec<In, Out>, rule: StepRule<In, Out>): Step {
  const { name, queue } = stage;
  return {
    name,
    after: rule.after.map((each) => each.name),
    onSkip: rule.onSkip ?? "go-on",
    onFailure: rule.onFailure ?? "fail",
    variants: (request) => (rule.each === undefined ? ONCE : [...new Set(rule.each(request))]),
    plan(progress, variant) {
      const input = rule.input(progress, variant);
      if (input === null) return null;
      return { step: toStepName(name, variant), stage: name, queue, key: stage.key(input), input };
    },
    canRead: (output) => stage.output.safeParse(output).success,
    findWarnings: (output) => [rule.warning?.(stage.output.parse(output)) ?? []].flat(),
    findFailure(output, request) {
      const found = rule.failure?.(stage.output.parse(output), request) ?? null;
      return found === null ? null : { code: found.code, message: found.message };
    },
    mustRerun: (job) => mustRerun(stage, job),
  };
}

/** A job whose input or output this version cannot parse runs again: otherwise the new request would fail. */
function mustRerun<In, Out>(stage: StageSpec<In, Out>, job: EndedJob): boolean {
  const input = stage.input.safeParse(job.input);
  if (!input.success) return true;
  // Stored by an earlier version, for which more inputs were the same piece of work.
  if (job.key !== undefined && job.key !== stage.key(input.data)) return true;
  const { endedMsAgo, isAvailable } = job;
  const asked = stage.input.safeParse(job.asked);
  const facts = {
    input: input.data,
    endedMsAgo,
    isAvailable,
    ...(asked.success ? { asked: asked.data } : {}),
  };
  if (job.state === "skipped") {
    if (job.code === null) return true;
    return stage.rerun?.({ ...facts, end: { state: "skipped", code: job.code } }) ?? false;
  }
  const output = stage.output.safeParse(job.output);
  if (!output.success) return true;
  return stage.rerun?.({ ...facts, end: { state: "done", output: output.data } }) ?? false;
}

/** Keys of the artifacts that make up the request's result. They become the current ones of its post. */
export type FindArtifacts = (progress: Progress) => ArtifactKeys;

export interface PipelineOptions {
  /** Default: nothing. */
  artifacts?: FindArtifacts;
  /**
   * Whether its requests are about a post. Such a request fails unless its link names the post, or a stage does in the
   * `postId` of its output. Default true.
   */
  isAboutPost?: boolean;
}

/** Plans the requests of one kind. */
export interface Pipeline {
  readonly kind: string;
  readonly steps: readonly Step[];
  plan(request: RequestFacts, states: StageStates): Plan;
}

/**
 * Makes of a list of steps the pure function that plans requests inside the settling transaction. Throws for a list
 * that is empty or names a stage twice, for a step that waits for a stage not listed before it, and for a name with
 * a dot.
 */
export function createPipeline(
  kind: string,
  steps: readonly Step[],
  { artifacts = () => ({}), isAboutPost = true }: PipelineOptions = {},
): Pipeline {
  checkSteps(kind, steps);
  return {
    kind,
    steps,
    plan(request, states) {
      const read = readStates(steps, states);
      const progress = toProgress(request, read);
      const postId = findPostId(request, read);
      const round: Round = { settled: new Set(), planned: [], warnings: [], isOpen: false };
      for (const each of steps) {
        const end = takeStep(each, round, progress, read);
        if (end !== null) return { ...end, postId };
      }
      if (round.isOpen || round.planned.length > 0)
        return { kind: "steps", steps: round.planned, postId };
      if (isAboutPost && postId === null) return { ...NO_POST, postId };
      return { kind: "done", postId, warnings: round.warnings, artifacts: artifacts(progress) };
    },
  };
}

/** The end of a request about a post when all steps have ended and none has named the post. */
const NO_POST = {
  kind: "failed",
  stage: "plan",
  code: "internal",
  message: "no stage has said which post the request is about",
} as const;

/** What one run over the list of steps has found so far. */
interface Round {
  settled: Set<string>;
  planned: PlannedStep[];
  warnings: Warning[];
  /** Whether a step has a job that has not ended. */
  isOpen: boolean;
}

type EarlyEnd = Omit<Extract<Plan, { stage: string }>, "postId">;

/**
 * Plans one step in all its variants. A step whose output cannot be read is planned again. Returns the end of the request if
 * this step ends it, else null.
 */
function takeStep(
  step: Step,
  round: Round,
  progress: Progress,
  states: ReadStates,
): EarlyEnd | null {
  if (!step.after.every((name) => round.settled.has(name))) return null;
  let isSettled = true;
  for (const variant of step.variants(progress.request)) {
    const state = states[toStepName(step.name, variant)];
    if (state === undefined || state.state === "unreadable") {
      const planned = step.plan(progress, variant);
      if (planned === null) continue;
      round.planned.push(state === undefined ? planned : { ...planned, again: true });
      isSettled = false;
    } else if (state.state === "open") {
      round.isOpen = true;
      isSettled = false;
    } else {
      const end = toEnd(step, state, progress.request);
      if (end !== null) return end;
      round.warnings.push(...toWarnings(step, state));
    }
  }
  if (isSettled) round.settled.add(step.name);
  return null;
}

function toEnd(step: Step, state: StageState, request: RequestFacts): EarlyEnd | null {
  const { name: stage, onSkip, onFailure } = step;
  const failure = state.state === "done" ? step.findFailure(state.output, request) : null;
  if (failure !== null) return { kind: "failed", stage, ...failure };
  const ends =
    (state.state === "skipped" && onSkip === "end") ||
    (state.state === "failed" && onFailure === "fail");
  return ends ? { kind: state.state, stage, code: state.code, message: state.message } : null;
}

function toWarnings(step: Step, state: Exclude<StageState, { state: "open" }>): Warning[] {
  const found = state.state === "done" ? step.findWarnings(state.output) : [state];
  return found.map(({ code, message }) => ({ stage: step.name, code, message }));
}

function checkSteps(kind: string, steps: readonly Step[]): void {
  const known = new Set<string>();
  const all = new Set(steps.map(({ name }) => name));
  const problems: string[] = steps.length === 0 ? ["it has no steps"] : [];
  for (const { name, after } of steps) {
    if (known.has(name)) problems.push(`${name} stands in it twice`);
    if (name.includes(".")) problems.push(`${name} has a dot in its name, as variants have`);
    for (const earlier of after) {
      if (known.has(earlier)) continue;
      problems.push(
        all.has(earlier)
          ? `${name} waits for ${earlier}, which does not stand before it`
          : `${name} waits for ${earlier}, which is no step of it`,
      );
    }
    known.add(name);
  }
  if (problems.length > 0)
    throw new Error(`the pipeline ${kind} is broken: ${problems.join(", ")}`);
}

/** All pipelines of a program, as the work store and the workers use them. */
export interface Pipelines {
  plan: Planner;
  /** Whether this stage runs again for a new request although its job has ended like this. */
  rerun(stage: string, job: EndedJob): boolean;
  /** Names of all stages. Each of them needs a worker that runs it. */
  readonly stages: readonly string[];
  /** Names of the stages that may follow this one. */
  next(stage: string): readonly string[];
}

/** Throws if two pipelines have the same kind. */
export function createPipelines(pipelines: readonly Pipeline[]): Pipelines {
  const byKind = new Map(pipelines.map((pipeline) => [pipeline.kind, pipeline]));
  if (byKind.size < pipelines.length) throw new Error("two pipelines are of one kind");
  const steps = pipelines.flatMap((pipeline) => pipeline.steps);
  const byStage = new Map(steps.map((each) => [each.name, each]));
  const nextByStage = new Map(
    [...byStage.keys()].map((stage) => {
      const next = steps.filter(({ after }) => after.includes(stage)).map(({ name }) => name);
      return [stage, [...new Set(next)]];
    }),
  );
  return {
    plan: (request, states) => byKind.get(request.kind)?.plan(request, states) ?? null,
    // Results of a stage that only another version of the program knows are kept: this one cannot judge them.
    rerun: (stage, job) => byStage.get(stage)?.mustRerun(job) ?? false,
    stages: [...byStage.keys()],
    next: (stage) => nextByStage.get(stage) ?? [],
  };
}
