import { z } from "zod";
import type { ErrorCode } from "../errors/error-codes.ts";
import type { Recipe } from "../engine-id.ts";
import type { PostId } from "../ids.ts";

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

/** What a caller asked for; in HTTP it is called a job. */
export interface Submission {
  tenant: string;
  /** A link that was parsed already. Without `postId` it is a short link that the resolve stage follows. */
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
}

/** The part of a request that the planner needs. */
export interface RequestFacts {
  id: string;
  link: string;
  postId: PostId | null;
  outputs: readonly Output[];
  recipes: Recipes;
  language: string | null;
  /** Captions must not stand for recognition. */
  fresh: boolean;
}

/** How one stage stands for one request. `done` carries the stage's output. */
export type StageState =
  | { state: "open" }
  | { state: "done"; output: unknown }
  | { state: "skipped"; code: ErrorCode; message: string }
  | { state: "failed"; code: ErrorCode; message: string };

export type StageStates = Readonly<Record<string, StageState | undefined>>;

export interface PlannedStep {
  stage: string;
  queue: string;
  key: string;
  input: unknown;
}

export interface Warning {
  stage: string;
  code: ErrorCode;
  message: string;
}

/** What is current for the post from now on; null leaves the earlier one in place. */
export interface CurrentArtifacts {
  transcriptKey: string | null;
  screenTextKey: string | null;
  answerKey: string | null;
}

/**
 * What follows from the states of a request's stages: more steps (possibly none while some are open), or the end.
 * `postId` is the post's id as soon as it is known, also where the link did not hold it.
 */
export type Plan =
  | { kind: "steps"; steps: PlannedStep[]; postId: PostId | null }
  | { kind: "done"; postId: PostId; warnings: Warning[]; artifacts: CurrentArtifacts }
  | {
      kind: "skipped" | "failed";
      postId: PostId | null;
      stage: string;
      code: ErrorCode;
      message: string;
    };

/** Pure: the same facts and states always give the same plan. It runs inside the transaction that finishes a stage. */
export type Planner = (request: RequestFacts, states: StageStates) => Plan;

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
