import type { z } from "zod";
import type { StageRecord } from "./record.ts";

/** One BullMQ queue each, named after the resource that the work needs. */
export const QUEUE_NAMES = ["io", "gpu", "cpu", "llm"] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

/**
 * One typed step of the pipeline. A stage knows no queue mechanics and enqueues nothing: it takes an input,
 * does one thing, and returns what is to be stored. It may run twice, so it writes nothing but files named
 * after their hash; rows go out as `records` and are stored in the transaction that finishes the job.
 */
export interface Stage<In = unknown, Out = unknown> {
  /** Equals the file name and the job name. */
  readonly name: string;
  readonly queue: QueueName;
  readonly input: z.ZodType<In>;
  /** Ids and hashes only, under 4 kB: it is what the planner sees. */
  readonly output: z.ZodType<Out>;
  /** How often a retryable error may happen before the job is dead. Shutdown, lost locks and throttling cost none. */
  readonly attempts: number;
  /** Aborts `ctx.signal`. Too low kills slow but healthy work; too high holds a slot for a hung upstream. */
  readonly timeoutMs: number;
  /** Everything that makes the result what it is. Two inputs with one key share one run and one result. */
  key(input: In): string;
  run(input: In, ctx: StageContext): Promise<StageResult<Out>>;
}

export interface StageResult<Out> {
  output: Out;
  /** Rows stored with the output, in one transaction. Default: none. */
  records?: StageRecord[];
}

export interface StageContext {
  /** Aborted by the stage's timeout, a lost lease, or shutdown. Goes into every await that can block. */
  readonly signal: AbortSignal;
  readonly log: StageLog;
  /** 1 on the first try. */
  readonly attempt: number;
  now(): Date;
  /**
   * Makes a call that costs money. The intent is committed before `call` runs, so a crash in between leaves an
   * `unknown` entry at the estimate, and a budget never undercounts. The price of a success is booked with the
   * stage's result, that of a failure (`costUsd` of the error, else 0) at once.
   */
  pay<T extends { usd: number }>(intent: PaidCall, call: () => Promise<T>): Promise<T>;
}

export interface PaidCall {
  /** Engine id of the provider. */
  engine: string;
  estimateUsd: number;
}

export interface StageLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

/** Keeps a stage's type parameters while it is written as one literal. */
export function defineStage<In, Out>(stage: Stage<In, Out>): Stage<In, Out> {
  return stage;
}
