import {
  type CallSettlement,
  type ClaimedJob,
  ClipmillError,
  type JobRef,
  LeaseLostError,
  type Log,
  type Outcome,
  type PaidCall,
  type QueueName,
  RetryableError,
  type RunnableStage,
  type StageResult,
  type StageWait,
  toClipmillError,
  type Upstreams,
} from "@clipmill/domain";
import type { PaidCalls } from "./paid-calls.ts";
import { createStageLimit } from "./limits/stage-limit.ts";
import { toOutcome } from "./to-outcome.ts";
import { NoTurnError, type CallTurns } from "./limits/call-turns.ts";

export interface AttemptDeps {
  paidCalls: PaidCalls;
  /** Default: every call goes at once. */
  upstreams: Upstreams | undefined;
  /** By queue: whose calls take turns. Default: none. */
  turns?: ReadonlyMap<QueueName, CallTurns> | undefined;
  now: () => Date;
  random: () => number;
}

/** The abort reason at shutdown. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
}

/**
 * What a stage may still do after its abort: end a program, remove a file. Then it has ignored the abort. Less than what
 * a stop has left after the worker has waited for its jobs (`STOP_WITHIN_MS` of apps/worker).
 */
const ABORT_GRACE_MS = 4_000;

/**
 * Runs a stage on a claimed job and says what becomes of the job; never throws. `abort` ends it early: with a
 * LeaseLostError or a ShutdownError the job is released and costs no attempt, and so it is if its turn does not come. It
 * ends at the latest 4 s after the stage's limit or its abort, whatever the stage does: else a stage that ignores both
 * would keep its slot for ever.
 */
export async function attempt(
  { paidCalls, upstreams, turns, now, random }: AttemptDeps,
  stage: RunnableStage,
  job: ClaimedJob,
  { abort, log }: { abort: AbortController; log: Log },
): Promise<Outcome> {
  const { signal } = abort;
  // As `AbortSignal.timeout` says it: by this name the upstream's limiter knows it from a shutdown.
  const limit = createStageLimit(stage.timeoutMs, () =>
    abort.abort(new DOMException(`${stage.name} ran over its limit`, "TimeoutError")),
  );
  const calls: CallSettlement[] = [];
  const ignored = watchAbort(signal);
  try {
    const run = stage.run(job.input, {
      signal,
      log,
      attempt: job.attempts + 1,
      expiredToken: job.expiredToken,
      now,
      onWait: limit.pause,
      pay(intent, call) {
        const go = () => pay(paidCalls, job, intent, call, { calls, signal });
        // The intent is written after the waits: a call that is sent back was never one.
        const permitted = () => upstreams?.call(intent.engine, go, { signal }) ?? go();
        return turns?.get(stage.queue)?.take(permitted, signal) ?? permitted();
      },
    });
    return toStored(job, await Promise.race([run, ignored.promise]), calls);
  } catch (error) {
    if (error instanceof AbortIgnoredError)
      log.error(
        { graceMs: ABORT_GRACE_MS },
        "stage goes on after its abort, and is left to itself",
      );
    const reason = isRelease(error) ? error : signal.reason;
    if (isRelease(reason)) return { id: job.id, epoch: job.epoch, kind: "released" };
    if (!(error instanceof ClipmillError) && !signal.aborted)
      log.error({ err: error }, "stage threw an unknown error");
    const cause = signal.aborted ? toTimeout(stage, error) : toClipmillError(error);
    return toOutcome(cause, job, { maxAttempts: stage.attempts, random });
  } finally {
    limit.clear();
    ignored.dispose();
  }
}

/** Whether somebody is to run the job anew, as if it had not been tried. */
function isRelease(reason: unknown): boolean {
  return (
    reason instanceof LeaseLostError ||
    reason instanceof ShutdownError ||
    reason instanceof NoTurnError
  );
}

class AbortIgnoredError extends Error {
  override readonly name = "AbortIgnoredError";
}

/** A promise that rejects when the grace after the abort is over, and what makes it never do so. */
function watchAbort(signal: AbortSignal): { promise: Promise<never>; dispose(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  let grace: NodeJS.Timeout | undefined;
  const start = () => {
    grace = setTimeout(() => reject(new AbortIgnoredError()), ABORT_GRACE_MS);
  };
  if (signal.aborted) start();
  else signal.addEventListener("abort", start, { once: true });
  return {
    promise,
    dispose() {
      clearTimeout(grace);
      signal.removeEventListener("abort", start);
    },
  };
}

function toStored(
  { id, epoch }: JobRef,
  result: StageResult<unknown> | StageWait,
  calls: CallSettlement[],
): Outcome {
  const { records = [], submit = [], resolve = [] } = result;
  const stored = { id, epoch, records, calls, submit, resolve };
  return "waitFor" in result
    ? { ...stored, kind: "waiting", ...result.waitFor }
    : { ...stored, kind: "done", output: result.output };
}

function toTimeout({ name, timeoutMs }: RunnableStage, cause: unknown): RetryableError {
  const message = `${name} ran over its limit of ${timeoutMs / 1000} s`;
  return new RetryableError("timeout", message, { cause });
}

async function pay<T extends { usd: number }>(
  paidCalls: PaidCalls,
  job: JobRef,
  intent: PaidCall,
  call: () => Promise<T>,
  { calls, signal }: { calls: CallSettlement[]; signal: AbortSignal },
): Promise<T> {
  // What is not sent is not to stand in the books.
  signal.throwIfAborted();
  if (intent.estimateUsd === 0) return await call();
  const callId = await paidCalls.open(job, intent);
  if (signal.aborted) {
    await paidCalls.fail({ callId, usd: 0 });
    signal.throwIfAborted();
  }
  try {
    const result = await call();
    calls.push({ callId, usd: result.usd });
    return result;
  } catch (error) {
    // What was aborted may have been billed: it stays unknown, at its estimate.
    if (error instanceof ClipmillError) await paidCalls.fail({ callId, usd: error.costUsd ?? 0 });
    throw error;
  }
}
