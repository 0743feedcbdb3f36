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
 * What the planner needs to know about a stage: its name, queue and key, but not the code that does the work.
 */
export interface StageSpec<In, Out> {
  /** Equal to the file name and the job name. */
  readonly name: string;
  readonly queue: QueueName;
  readonly input: z.ZodType<In>;
  /** Ids and hashes only, under 4 kB: the planner reads it inside the settling transaction. */
  readonly output: z.ZodType<Out>;
  /** Retryable errors until the job is dead. Shutdown, a lost lock and throttling do not count. */
  readonly attempts: number;
  /** Aborts `ctx.signal`. Too low kills slow but healthy work; too high holds a slot for a hung upstream. */
  readonly timeoutMs: number;
  /** Made of everything that the result depends on. Two inputs with the same key share one run and one result. */
  key(input: In): string;
  /** The kinds of record that its runs may store. Default: none. */
  readonly produces?: readonly RecordKind[];
  /**
   * Whether the stage runs again for a new request although its job with this key has ended like this. Failed and
   * cancelled jobs always run again. Default: never.
   */
  rerun?(end: StageEnd<In, Out>): boolean;
}

/** How a job ended, as `rerun` sees it when a new request needs it. */
export interface StageEnd<In, Out> {
  /** The input of the run that ended. */
  input: In;
  /** With an output, or skipped for this reason. */
  end: { state: "done"; output: Out } | { state: "skipped"; code: ErrorCode };
  endedMsAgo: number;
  /** The input of the new request. Absent where nobody asks. */
  asked?: In;
  /** Whether a live worker has this engine. */
  isAvailable(engine: string): boolean;
}

/**
 * A stage knows nothing of the queue and enqueues nothing: it takes an input, does one thing and returns what to store.
 * It may run twice, so it writes only files, named after their hash. Rows it returns as `records`; they are stored in
 * the settling transaction.
 */
export interface Stage<In, Out> extends StageSpec<In, Out> {
  run(input: In, ctx: StageContext): Promise<StageResult<Out> | StageWait>;
}

/** A stage's job that has ended, as it is stored: input and output are not parsed yet. See `StageEnd`. */
export interface EndedJob extends Pick<StageEnd<unknown, unknown>, "endedMsAgo" | "isAvailable"> {
  state: "done" | "skipped";
  input: unknown;
  output: unknown;
  /** Why it was skipped; null if it is done. */
  code: ErrorCode | null;
  /** The key that it is stored under. If its input has another key now, it runs again. Default: that key. */
  key?: string;
  /** See `StageEnd.asked`. */
  asked?: unknown;
}

/** See `StageSpec.rerun`; finds the stage by its name. */
export type RerunPolicy = (stage: string, job: EndedJob) => boolean;

/** What is stored together with the outcome of a run, in one transaction. */
export interface StageEffects {
  /** Rows of the kinds that the stage `produces`. Default: none. */
  records?: StageRecord[];
  /** Requests to accept, each once however often the stage is retried. At most `SUBMITTED_MAX`. Default: none. */
  submit?: ChildSubmission[];
  /** Tokens to resolve: ends the jobs that wait for them. At most `RESOLVED_MAX`. Default: none. */
  resolve?: Resolution[];
}

export interface StageResult<Out> extends StageEffects {
  output: Out;
}

/**
 * The job waits for something outside. Meanwhile it has no slot, no lease and no hint, and it uses up no attempt. It
 * ends when somebody resolves the token. If nobody does in time, it runs again with the token in `ctx.expiredToken`.
 */
export interface StageWait extends StageEffects {
  waitFor: {
    /** Names what the job waits for. Unique among all waiting jobs. At most 500 characters. */
    token: string;
    /**
     * Over 0, up to a year. Too short runs the stage again for nothing; too long hides that nobody will answer.
     */
    timeoutMs: number;
  };
}

/** Bounds the settling transaction. A stage with more to submit submits a request for its next page as well. */
export const SUBMITTED_MAX = 500;
export const RESOLVED_MAX = 1_000;

/** Postgres cannot index a value longer than a third of a page. */
const TOKEN_MAX = 500;
const WAIT_MAX_MS = 365 * 86_400_000;

export interface StageContext {
  /** Aborted by the stage's timeout, a lost lease, or shutdown. Goes into every await that can block. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** 1 on the first try. */
  readonly attempt: number;
  /** The token that this job waited for and that nobody resolved in time; null if there was none. */
  readonly expiredToken: string | null;
  now(): Date;
  /**
   * To be called when the stage begins to wait for something that this process has too little of, such as a turn for
   * ffmpeg; what it returns, when the wait is over. In between the stage's limit stands still: it is for the work.
   * Absent where nothing counts the time.
   */
  readonly onWait?: () => () => void;
  /**
   * Makes a paid call to a provider: waits for a reservation (see `Upstreams.call` for what it throws) and records the
   * price. An entry with the estimate is committed before `call` runs. After a crash in between it stays `unknown`, so
   * a budget never undercounts. The price of a success is stored with the stage's result, that of a failure (`costUsd`
   * of the error, else 0) at once. If the estimate is 0, nothing is recorded.
   */
  pay<T extends { usd: number }>(intent: PaidCall, call: () => Promise<T>): Promise<T>;
}

export interface PaidCall {
  /** Engine id of the provider. */
  engine: string;
  estimateUsd: number;
}

/** Infers the type parameters of a stage that is written as one literal. */
export function defineStage<In, Out>(spec: StageSpec<In, Out>): StageSpec<In, Out> {
  return spec;
}

/** A stage without type parameters: it parses input and output itself, so a worker can run it on stored rows. */
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

/** Refused before settling: the settling transaction holds other jobs as well, and all of them would fail. */
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

/** A wait without an end never ends; one that ends in the past would make the job run again and again. */
function checkWait(name: string, { waitFor: { token, timeoutMs } }: StageWait): void {
  if (token === "" || token.length > TOKEN_MAX)
    throw malformed(`${name} waits for a token that is empty or over ${TOKEN_MAX} characters`);
  if (!(timeoutMs > 0 && timeoutMs <= WAIT_MAX_MS))
    throw malformed(`${name} waits for ${timeoutMs} ms, which is not between 0 and a year`);
}

function malformed(message: string): UnrecoverableError {
  return new UnrecoverableError("invalid_input", message);
}

/** Names the wrong fields. Not their values, which may be transcripts or keys. */
function toPaths(error: z.ZodError): string {
  return error.issues.map((issue) => issue.path.join(".") || "(whole)").join(", ");
}
