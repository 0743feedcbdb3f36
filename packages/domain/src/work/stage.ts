import type { z } from "zod";
import type { ErrorCode } from "../errors/error-codes.ts";
import { UnrecoverableError } from "../errors/errors.ts";
import type { Log } from "../ports/log.ts";
import type { RecordKind, StageRecord } from "./record.ts";
import type { ChildSubmission } from "./request.ts";
import type { Resolution } from "./wait.ts";

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
  /** The kinds of record that its runs may store. Default: none. */
  readonly produces?: readonly RecordKind[];
  /**
   * Whether the stage runs again for a new request although its job on this key has ended so. Failures and cancelled
   * jobs always do. Default: never.
   */
  rerun?(end: StageEnd<In, Out>): boolean;
}

/** A job that has ended, as a new request finds it. */
export interface StageEnd<In, Out> {
  /** Of the run that ended. */
  input: In;
  /** How it ended: with an output, or without one for a reason. */
  end: { state: "done"; output: Out } | { state: "skipped"; code: ErrorCode };
  endedMsAgo: number;
  /** Whether a live worker has this engine. */
  isAvailable(engine: string): boolean;
}

/**
 * A stage knows no queue mechanics and enqueues nothing: it takes an input, does one thing, and returns what is to
 * be stored. It may run twice, so it writes nothing but files named after their hash; rows go out as `records` and
 * are stored in the transaction that finishes the job.
 */
export interface Stage<In, Out> extends StageSpec<In, Out> {
  run(input: In, ctx: StageContext): Promise<StageResult<Out> | StageWait>;
}

/** A job of a stage that has ended, as the record holds it: see `StageEnd`. */
export interface EndedJob extends Pick<StageEnd<unknown, unknown>, "endedMsAgo" | "isAvailable"> {
  state: "done" | "skipped";
  input: unknown;
  output: unknown;
  /** Why it was skipped; null where it is done. */
  code: ErrorCode | null;
}

/** Whether a stage runs again for a new request although its job has ended so: see `StageSpec.rerun`. */
export type RerunPolicy = (stage: string, job: EndedJob) => boolean;

/** What is stored with a stage's end, in one transaction. */
export interface StageEffects {
  /** Rows, of the kinds that the stage `produces`. Default: none. */
  records?: StageRecord[];
  /** Requests, accepted once whatever is retried. At most `SUBMITTED_MAX`; more go in pages. Default: none. */
  submit?: ChildSubmission[];
  /** Ends of jobs that wait for these tokens. At most `RESOLVED_MAX`. Default: none. */
  resolve?: Resolution[];
}

export interface StageResult<Out> extends StageEffects {
  output: Out;
}

/**
 * The job waits for something outside, without a slot, a lease or a hint, and without spending an attempt. It ends when
 * somebody resolves the token; when the time is over it runs again, and `ctx.expiredToken` says so.
 */
export interface StageWait extends StageEffects {
  waitFor: {
    /** Names what is waited for; unique among all jobs that wait. At most 500 characters. */
    token: string;
    /** Most it may take, over 0 and up to a year. Too short runs the stage again for nothing; too long hides that nobody will answer. */
    timeoutMs: number;
  };
}

/** A settlement stays bounded: a stage that submits more submits a request for its next page. */
export const SUBMITTED_MAX = 500;
export const RESOLVED_MAX = 1_000;

/** An index holds no row of more than a page's third. */
const TOKEN_MAX = 500;
const WAIT_MAX_MS = 365 * 86_400_000;

export interface StageContext {
  /** Aborted by the stage's timeout, a lost lease, or shutdown. Goes into every await that can block. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** 1 on the first try. */
  readonly attempt: number;
  /** The token that this job waited for when nobody resolved it in time; null where it did not wait. */
  readonly expiredToken: string | null;
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
  /** Names of the kinds of record that it may store. Default: none. */
  readonly produces?: readonly string[];
  /** Throws UnrecoverableError `invalid_input` for malformed input or output: a retry would end the same way. */
  run(input: unknown, ctx: StageContext): Promise<StageResult<unknown> | StageWait>;
}

export function toRunnable<In, Out>(stage: Stage<In, Out>): RunnableStage {
  const { name, queue, attempts, timeoutMs, produces = [] } = stage;
  return {
    name,
    queue,
    attempts,
    timeoutMs,
    produces: produces.map((kind) => kind.name),
    async run(input, ctx) {
      const result = await stage.run(parseOf(stage.input, input, `input of ${name}`), ctx);
      checkEffects({ name, produces }, result);
      if ("waitFor" in result) {
        checkWait(name, result);
        return result;
      }
      return { ...result, output: parseOf(stage.output, result.output, `output of ${name}`) };
    },
  };
}

function parseOf<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformed(`the ${what} is malformed: ${toPaths(parsed.error)}`);
}

/** What a stage may not store is refused here: the transaction that stores it is that of other jobs, too. */
function checkEffects(
  { name, produces }: { name: string; produces: readonly RecordKind[] },
  { records = [], submit = [], resolve = [] }: StageEffects,
): void {
  for (const record of records) {
    const kind = produces.find((each) => each.name === record.kind);
    if (kind === undefined)
      throw malformed(`${name} stores ${record.kind}, which it does not produce`);
    parseOf(kind.shape, record.row, `${kind.name} of ${name}`);
  }
  if (submit.length > SUBMITTED_MAX)
    throw malformed(`${name} submits ${submit.length} requests at once, ${SUBMITTED_MAX} may be`);
  if (resolve.length > RESOLVED_MAX)
    throw malformed(`${name} resolves ${resolve.length} tokens at once, ${RESOLVED_MAX} may be`);
}

/** Without an end it would wait for ever, and with one in the past run again and again. */
function checkWait(name: string, { waitFor: { token, timeoutMs } }: StageWait): void {
  if (token === "" || token.length > TOKEN_MAX)
    throw malformed(`${name} waits for a token that is empty or over ${TOKEN_MAX} characters`);
  if (!(timeoutMs > 0 && timeoutMs <= WAIT_MAX_MS))
    throw malformed(`${name} waits for ${timeoutMs} ms, which is not between 0 and a year`);
}

function malformed(message: string): UnrecoverableError {
  return new UnrecoverableError("invalid_input", message);
}

/** Which fields are wrong; their values may be anything and stay out. */
function toPaths(error: z.ZodError): string {
  return error.issues.map((issue) => issue.path.join(".") || "(whole)").join(", ");
}
