import type {
  ArtifactKeys,
  EndedJob,
  Plan,
  PlannedStep,
  Planner,
  PostId,
  RequestFacts,
  StageSpec,
  StageState,
  StageStates,
  Warning,
} from "@clipmill/domain";

/** What a step needs to know of a stage to read its output. */
interface Readable<Out> {
  name: string;
  output: { parse(value: unknown): Out };
}

/** What a step may look at: the request, and the outputs of the stages that are done. */
export interface Progress {
  readonly request: RequestFacts;
  /** Undefined where the stage did not run, was skipped or failed. Of a stage that stands several times, by variant. */
  output<Out>(stage: Readable<Out>, variant?: string): Out | undefined;
  /** Of a stage that stands several times: the outputs of those that are done, by variant; `""` is the one without. */
  outputs<Out>(stage: Readable<Out>): Readonly<Record<string, Out>>;
}

export interface StepRule<In, Out = unknown> {
  /** The stages that must be settled before this one is looked at; each stands before it in the list. */
  after: readonly { readonly name: string }[];
  /** Makes the stage stand once for each of these, such as each answer asked for. Default: once. */
  each?(request: RequestFacts): readonly string[];
  /** The stage's input, or null where this request does not need it. `variant` is one of `each`, else "". */
  input(progress: Progress, variant: string): In | null;
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
  /** The stage's name. */
  readonly name: string;
  readonly after: readonly string[];
  readonly onSkip: "end" | "go-on";
  readonly onFailure: "fail" | "warn";
  variants(request: RequestFacts): readonly string[];
  plan(progress: Progress, variant: string): PlannedStep | null;
  findWarning(output: unknown): StepWarning | null;
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
    findWarning: (output) => rule.warning?.(stage.output.parse(output)) ?? null,
    mustRerun: (job) => mustRerun(stage, job),
  };
}

function toStepName(stage: string, variant: string): string {
  return variant === "" ? stage : `${stage}.${variant}`;
}

/** What was stored by another version and cannot be read costs a run, never a request that could not end. */
function mustRerun<In, Out>(stage: StageSpec<In, Out>, job: EndedJob): boolean {
  const input = stage.input.safeParse(job.input);
  if (!input.success) return true;
  const { endedMsAgo, isAvailable } = job;
  const facts = { input: input.data, endedMsAgo, isAvailable };
  if (job.state === "skipped") {
    if (job.code === null) return true;
    return stage.rerun?.({ ...facts, end: { state: "skipped", code: job.code } }) ?? false;
  }
  const output = stage.output.safeParse(job.output);
  if (!output.success) return true;
  return stage.rerun?.({ ...facts, end: { state: "done", output: output.data } }) ?? false;
}

/** Keys of what the outputs have come to: the request's result, and current for its post from now on. */
export type FindArtifacts = (progress: Progress) => ArtifactKeys;

export interface PipelineOptions {
  /** Default: nothing. */
  artifacts?: FindArtifacts;
  /**
   * Whether its requests are about a post: then one of them ends well only if its link or a stage names the post, in an
   * output's `postId`. Default true.
   */
  isAboutPost?: boolean;
}

/** What becomes of requests of one kind. */
export interface Pipeline {
  readonly kind: string;
  readonly steps: readonly Step[];
  plan(request: RequestFacts, states: StageStates): Plan;
}

/**
 * Turns the list of steps into the pure function that runs inside the transaction which finishes a stage. Throws for a
 * list that names a stage twice, or a stage that does not stand before the step that waits for it, or has a dot in a name.
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
      const progress = toProgress(request, states);
      const postId = findPostId(request, states);
      const round: Round = { settled: new Set(), planned: [], warnings: [], isOpen: false };
      for (const each of steps) {
        const end = takeStep(each, round, progress, states);
        if (end !== null) return { ...end, postId };
      }
      if (round.isOpen || round.planned.length > 0)
        return { kind: "steps", steps: round.planned, postId };
      if (isAboutPost && postId === null) return { ...NO_POST, postId };
      return { kind: "done", postId, warnings: round.warnings, artifacts: artifacts(progress) };
    },
  };
}

/** Nothing is left to wait for, and the request could never end. */
const NO_POST = {
  kind: "failed",
  stage: "plan",
  code: "internal",
  message: "no stage has said which post the request is about",
} as const;

/** What one pass over the steps has come to so far. */
interface Round {
  settled: Set<string>;
  planned: PlannedStep[];
  warnings: Warning[];
  /** A step is under way. */
  isOpen: boolean;
}

type EarlyEnd = Omit<Extract<Plan, { stage: string }>, "postId">;

/** Looks at one step in all its variants; returns how the request ends, should this step end it. */
function takeStep(
  step: Step,
  round: Round,
  progress: Progress,
  states: StageStates,
): EarlyEnd | null {
  if (!step.after.every((name) => round.settled.has(name))) return null;
  let isSettled = true;
  for (const variant of step.variants(progress.request)) {
    const state = states[toStepName(step.name, variant)];
    if (state === undefined) {
      const planned = step.plan(progress, variant);
      if (planned === null) continue;
      round.planned.push(planned);
      isSettled = false;
    } else if (state.state === "open") {
      round.isOpen = true;
      isSettled = false;
    } else {
      const end = toEnd(step, state);
      if (end !== null) return end;
      addWarning(round, step, state);
    }
  }
  if (isSettled) round.settled.add(step.name);
  return null;
}

function toEnd(step: Step, state: StageState): EarlyEnd | null {
  const ends =
    (state.state === "skipped" && step.onSkip === "end") ||
    (state.state === "failed" && step.onFailure === "fail");
  if (!ends) return null;
  return { kind: state.state, stage: step.name, code: state.code, message: state.message };
}

function addWarning(
  { warnings }: Round,
  step: Step,
  state: Exclude<StageState, { state: "open" }>,
): void {
  const warning = state.state === "done" ? step.findWarning(state.output) : state;
  if (warning !== null)
    warnings.push({ stage: step.name, code: warning.code, message: warning.message });
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

function toProgress(request: RequestFacts, states: StageStates): Progress {
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

/** All pipelines of a program, as the record and the workers see them. */
export interface Pipelines {
  plan: Planner;
  /** Whether a job of this stage that has ended so runs again for a new request. */
  rerun(stage: string, job: EndedJob): boolean;
  /** Names of all their stages: each of them needs a processor somewhere. */
  readonly stages: readonly string[];
  /** Names of the stages that may follow this one. */
  next(stage: string): readonly string[];
}

/** Throws where two are of one kind. */
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
    // A stage of another version of the program is that version's to judge.
    rerun: (stage, job) => byStage.get(stage)?.mustRerun(job) ?? false,
    stages: [...byStage.keys()],
    next: (stage) => nextByStage.get(stage) ?? [],
  };
}
