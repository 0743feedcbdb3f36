import type { z } from "zod";
import { UnrecoverableError } from "../errors/errors.ts";
import type { Log } from "../ports/log.ts";
import type { StageRecord } from "./record.ts";

/** One BullMQ queue each, named after the resource that the work needs. */
export const QUEUE_NAMES = ["io", "gpu", "cpu", "llm"] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

/**
 * One typed step of the pipeline, apart from its work: what the planner needs to name it, place it and key it.
 */
export interface StageSpec<In, Out> {
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
}

/**
 * A stage knows no queue mechanics and enqueues nothing: it takes an input, does one thing, and returns what is to
 * be stored. It may run twice, so it writes nothing but files named after their hash; rows go out as `records` and
 * are stored in the transaction that finishes the job.
 */
export interface Stage<In, Out> extends StageSpec<In, Out> {
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
  readonly log: Log;
  /** 1 on the first try. */
  readonly attempt: number;
  now(): Date;
  /**
   * Makes a call to a provider: waits for its turn (see `Upstreams.call`, which says what it throws) and books what it
   * costs. The intent is committed before `call` runs, so a crash in between leaves an `unknown` entry at the estimate,
   * and a budget never undercounts. The price of a success is booked with the stage's result, that of a failure
   * (`costUsd` of the error, else 0) at once. Nothing is booked where the estimate is 0.
   */
  pay<T extends { usd: number }>(intent: PaidCall, call: () => Promise<T>): Promise<T>;
}

export interface PaidCall {
  /** Engine id of the provider. */
  engine: string;
  estimateUsd: number;
}

/** Keeps a stage's type parameters while it is written as one literal. */
export function defineStage<In, Out>(spec: StageSpec<In, Out>): StageSpec<In, Out> {
  return spec;
}

/** A stage with its types closed over: what a worker runs on rows from the database. */
export interface RunnableStage {
  readonly name: string;
  readonly queue: QueueName;
  readonly attempts: number;
  readonly timeoutMs: number;
  /** Throws UnrecoverableError `invalid_input` for malformed input or output: a retry would end the same way. */
  run(input: unknown, ctx: StageContext): Promise<StageResult<unknown>>;
}

export function toRunnable<In, Out>(stage: Stage<In, Out>): RunnableStage {
  const { name, queue, attempts, timeoutMs } = stage;
  return {
    name,
    queue,
    attempts,
    timeoutMs,
    async run(input, ctx) {
      const parsed = stage.input.safeParse(input);
      if (!parsed.success)
        throw new UnrecoverableError(
          "invalid_input",
          `the input of ${name} is malformed: ${toPaths(parsed.error)}`,
        );
      const { output, records } = await stage.run(parsed.data, ctx);
      const checked = stage.output.safeParse(output);
      if (!checked.success)
        throw new UnrecoverableError(
          "invalid_input",
          `the output of ${name} is malformed: ${toPaths(checked.error)}`,
        );
      return { output: checked.data, records: records ?? [] };
    },
  };
}

/** Which fields are wrong; their values may be anything and stay out. */
function toPaths(error: z.ZodError): string {
  return error.issues.map((issue) => issue.path.join(".") || "(whole)").join(", ");
}
