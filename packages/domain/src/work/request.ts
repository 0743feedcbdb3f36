import { z } from "zod";
import type { ArtifactKeys } from "../artifacts/artifact-keys.ts";
import type { ErrorCode } from "../errors/error-codes.ts";
import type { Recipe } from "../engine-id.ts";
import type { PostId } from "../ids.ts";
import type { QueueName } from "./stage.ts";

/** Who goes first. `quarantine` is internal: a job that was running when its worker died runs alone from then on. */
export const LANES = ["interactive", "standard", "backfill"] as const;
export const Lane = z.enum(LANES);
export type Lane = z.infer<typeof Lane>;
export type JobLane = Lane | "quarantine";

export const Output = z.enum(["transcript", "summary"]);
export type Output = z.infer<typeof Output>;

/** Each output once, in the order of `Output`. Returns the same list if it is like that already. */
export function toOrderedOutputs(outputs: readonly Output[]): readonly Output[] {
  const ordered = Output.options.filter((output) => outputs.includes(output));
  const isSame =
    ordered.length === outputs.length && ordered.every((output, i) => output === outputs[i]);
  return isSame ? outputs : ordered;
}

/** The engines of each kind of work, in order of preference. Fixed when the request is accepted. */
export interface Recipes {
  source: Recipe;
  asr: Recipe;
  ocr: Recipe;
  llm: Recipe;
}

/** The kind of a request that names no other kind: turn one post into data. */
export const POST_KIND = "post";

/** What a caller asked for; in HTTP it is called a job. */
export interface Submission {
  /** Which pipeline plans it. Default `post`. Accepting fails with `invalid_request` if no pipeline has this kind. */
  kind?: string;
  tenant: string;
  /**
   * What the request is about. For a post: its link, already parsed, or without `postId` a short link that the resolve
   * stage follows. For other kinds their pipeline says what it means.
   */
  link: string;
  postId: PostId | null;
  outputs: readonly Output[];
  recipes: Recipes;
  lane: Lane;
  /** ISO time. A request still open then fails, and jobs that only it needs do not start any more. Null for none. */
  deadline: string | null;
  /** Unique per tenant. The same key with another body is an `idempotency_conflict`. */
  idempotencyKey: string | null;
  /** BCP-47 hint for recognition; null lets the engine decide. */
  language: string | null;
  /** Recognise the speech even if the source offers captions. Default false. */
  fresh?: boolean;
  /** What the answer costs the tenant if this request is the one that pays for it. Default 0: nothing is held. */
  credits?: number;
  /** What else its pipeline needs: ids and small facts, under 4 kB as JSON. Default null. */
  input?: unknown;
  /** The job that submits it; see `ChildSubmission`. Missing when a caller submits it. */
  parent?: { jobId: number; endsWithParent: boolean };
}

/**
 * A request that a stage submits with its result. What is left out comes from the stage's job: its tenant, its lane,
 * and its latest start as the deadline. It is accepted once in its tenant, however often the stage runs: its
 * idempotency key is made of the job's id and `key`.
 */
export type ChildSubmission = Omit<
  Submission,
  "tenant" | "lane" | "deadline" | "idempotencyKey" | "parent"
> & {
  tenant?: string;
  lane?: Lane;
  deadline?: string | null;
  /**
   * Unique among all submissions of the job, over all its runs. If an earlier run has submitted a request under this
   * key, that request stays and no second one is stored. Default: its place in the list, for a stage that submits once.
   */
  key?: string;
  /** Whether to cancel it when all requests that need the stage's job were ended early. Default false: it goes on. */
  endsWithParent?: boolean;
};

/** The part of a request that the planner needs. */
export interface RequestFacts {
  id: string;
  kind: string;
  link: string;
  postId: PostId | null;
  outputs: readonly Output[];
  recipes: Recipes;
  language: string | null;
  /** Captions must not replace recognition. */
  fresh: boolean;
  /** See `Submission.input`. */
  input: unknown;
}

/** The state of one step, as the planner sees it. */
export type StageState =
  | { state: "open" }
  | { state: "done"; output: unknown }
  | { state: "skipped"; code: ErrorCode; message: string }
  | { state: "failed"; code: ErrorCode; message: string };

/** Keyed by the name of the step; see `PlannedStep.step`. */
export type StageStates = Readonly<Record<string, StageState | undefined>>;

export interface PlannedStep {
  /** Its name in the plan: the stage's name, with a variant if the stage stands several times, as in `custom.de`. */
  step: string;
  stage: string;
  queue: QueueName;
  key: string;
  input: unknown;
  /** The output of its job cannot be read, so the job has to run again. Default false. */
  again?: boolean;
}

export interface Warning {
  stage: string;
  code: ErrorCode;
  message: string;
}

/**
 * What a request does next: more steps (perhaps none while some are open), or its end. `postId` is set as soon as the
 * post is known, even if the link did not name it.
 */
export type Plan =
  | { kind: "steps"; steps: PlannedStep[]; postId: PostId | null }
  /** `postId` is null for a request that is not about a post. */
  | { kind: "done"; postId: PostId | null; warnings: Warning[]; artifacts: ArtifactKeys }
  | {
      kind: "skipped" | "failed";
      postId: PostId | null;
      stage: string;
      code: ErrorCode;
      message: string;
    };

/**
 * Pure: the same facts and states always give the same plan. Runs inside the settling transaction. Null if this program
 * has no pipeline for the request's kind: a program of another version has to plan it.
 */
export type Planner = (request: RequestFacts, states: StageStates) => Plan | null;

export const REQUEST_STATES = [
  "queued",
  "running",
  "retrying",
  "done",
  "skipped",
  "failed",
  "cancelled",
] as const;
export type RequestState = (typeof REQUEST_STATES)[number];
export type TerminalState = "done" | "skipped" | "failed" | "cancelled";

export function isTerminal(state: RequestState): state is TerminalState {
  return state === "done" || state === "skipped" || state === "failed" || state === "cancelled";
}
