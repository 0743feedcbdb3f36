import { z } from "zod";
import type { ArtifactKeys } from "../artifacts/artifact-keys.ts";
import type { ErrorCode } from "../errors/error-codes.ts";
import type { Recipe } from "../engine-id.ts";
import type { PostId } from "../ids.ts";
import type { QueueName } from "./stage.ts";

/** Who goes first. `quarantine` is internal: a job that was running when its worker died runs alone next time. */
export const LANES = ["interactive", "standard", "backfill"] as const;
export const Lane = z.enum(LANES);
export type Lane = z.infer<typeof Lane>;
export type JobLane = Lane | "quarantine";

export const Output = z.enum(["transcript", "summary"]);
export type Output = z.infer<typeof Output>;

/** Ordered engines for each kind of work, settled when the request is accepted. */
export interface Recipes {
  source: Recipe;
  asr: Recipe;
  ocr: Recipe;
  llm: Recipe;
}

/** The kind of a request that says nothing else: turn one post into data. */
export const POST_KIND = "post";

/** What a caller asked for; in HTTP it is called a job. */
export interface Submission {
  /** Which pipeline plans it. Default `post`. Accepting fails with `invalid_request` where no pipeline is of that kind. */
  kind?: string;
  tenant: string;
  /**
   * What it is about, as a link that was parsed already. Of a post, without `postId`, a short link that the resolve
   * stage follows; of another kind whatever its pipeline calls so.
   */
  link: string;
  postId: PostId | null;
  outputs: readonly Output[];
  recipes: Recipes;
  lane: Lane;
  /** ISO time: a request that is open then fails, and what only it needs is started no more; null for none. */
  deadline: string | null;
  /** Unique per tenant; the same key with another body is `idempotency_conflict`. */
  idempotencyKey: string | null;
  /** BCP-47 hint for recognition; null lets the engine decide. */
  language: string | null;
  /** The post is listened to, also where its source offers captions. Default false. */
  fresh?: boolean;
  /** What the answer costs the tenant, once, if this request is the one that pays. Default 0: nothing is held. */
  credits?: number;
  /** What its pipeline needs beyond the above: ids and small facts, under 4 kB as JSON. Default null. */
  input?: unknown;
  /** The job that submits it; see `ChildSubmission`. Default: a caller does. */
  parent?: { jobId: number; endsWithParent: boolean };
}

/**
 * A request that a stage submits with its result. It inherits what is left out: the tenant, lane and latest start of the
 * stage's job. It is accepted once in the tenant, however often the stage runs: its idempotency key is made of the job
 * and of `key`.
 */
export type ChildSubmission = Omit<
  Submission,
  "tenant" | "lane" | "deadline" | "idempotencyKey" | "parent"
> & {
  tenant?: string;
  lane?: Lane;
  deadline?: string | null;
  /**
   * Tells it apart from the job's other submissions, those of its earlier runs included: what a run that was over has
   * submitted under a key stays. Default: its place in the list, for a stage that submits once.
   */
  key?: string;
  /** Whether it is cancelled when every request behind the stage's job was ended early. Default false: it goes on. */
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
  /** Captions must not stand for recognition. */
  fresh: boolean;
  /** See `Submission.input`. */
  input: unknown;
}

/** How one stage stands for one request. `done` carries the stage's output. */
export type StageState =
  | { state: "open" }
  | { state: "done"; output: unknown }
  | { state: "skipped"; code: ErrorCode; message: string }
  | { state: "failed"; code: ErrorCode; message: string };

/** By the name of the step; see `PlannedStep.step`. */
export type StageStates = Readonly<Record<string, StageState | undefined>>;

export interface PlannedStep {
  /** Its name in the plan: the stage's, or with a variant where a stage stands several times, as in `custom.de`. */
  step: string;
  stage: string;
  queue: QueueName;
  key: string;
  input: unknown;
}

export interface Warning {
  stage: string;
  code: ErrorCode;
  message: string;
}

/**
 * What follows from the states of a request's stages: more steps (possibly none while some are open), or the end.
 * `postId` is the post's id as soon as it is known, also where the link did not hold it.
 */
export type Plan =
  | { kind: "steps"; steps: PlannedStep[]; postId: PostId | null }
  /** `postId` is null where the request is about no post. */
  | { kind: "done"; postId: PostId | null; warnings: Warning[]; artifacts: ArtifactKeys }
  | {
      kind: "skipped" | "failed";
      postId: PostId | null;
      stage: string;
      code: ErrorCode;
      message: string;
    };

/**
 * Pure: the same facts and states always give the same plan. It runs inside the transaction that finishes a stage. Null
 * where no pipeline of this program is of the request's kind: a program of another version plans it.
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
