import {
  type CallLedger,
  type CallSettlement,
  type ClaimedJob,
  ClipmillError,
  failpoint,
  type JobRef,
  type Log,
  type Outcome,
  type PaidCall,
  RetryableError,
  type RunnableStage,
  type StageContext,
  toClipmillError,
  type Upstreams,
  type WorkStore,
} from "@clipmill/domain";
import { createDelivery } from "./delivery.ts";
import { createGroupCommit, isDataError } from "./group-commit.ts";
import type { Hints } from "./hints.ts";
import { createLeases, LeaseLostError } from "./leases.ts";
import { sleep } from "./sleep.ts";
import { createSoloGate } from "./solo-gate.ts";
import { createErrorLog } from "./throttled-log.ts";
import { toOutcome } from "./to-outcome.ts";

export interface RunnerDeps {
  stages: readonly RunnableStage[];
  work: Pick<WorkStore, "claim" | "extend" | "settle" | "unpick">;
  /** Where the hints of next steps go that settling queued at once. */
  hints: Pick<Hints, "push">;
  ledger: CallLedger;
  /** Default: every call goes at once. */
  upstreams?: Upstreams;
  workerId: string;
  leaseMs: number;
  log: Log;
  now?: () => Date;
  random?: () => number;
}

/** How one hint ended; `stale` claimed nothing, `fenced` finished what was no longer its own. */
export type JobEnd = { kind: Outcome["kind"] | "stale" | "fenced"; code: string | null };

/** Runs jobs of any queue in this process: claim, run, settle. */
export interface Runner {
  run(ref: JobRef): Promise<JobEnd>;
  /** Jobs under way. */
  count(): number;
  /** Aborts what is under way; it is given back and costs no attempt. */
  releaseAll(): void;
  close(): Promise<void>;
}

/** A bigger batch holds its row locks longer; at 100 jobs the commit is a few per cent of the batch. */
const BATCH_MAX = 100;
const SETTLE_RETRY_MS = 200;
const NEVER = new AbortController().signal;

/** The abort reason at shutdown. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
}

export function createRunner(deps: RunnerDeps): Runner {
  const { work, workerId, leaseMs, log, now = () => new Date(), random = Math.random } = deps;
  const stages = toStageMap(deps.stages);
  const leases = createLeases({ work, leaseMs, log });
  const gate = createSoloGate();
  const reportSettle = createErrorLog(log, "result not stored yet");
  const delivery = createDelivery({ work, hints: deps.hints, log });
  const shutdown = new AbortController();
  let runningCount = 0;

  const claims = createGroupCommit<JobRef, ClaimedJob | null>({
    maxItems: BATCH_MAX,
    async flush(refs) {
      const claimed = new Map((await work.claim(refs, workerId)).map((job) => [toKey(job), job]));
      // One hint a job: a stale hint, or the same one delivered twice, may stand in one batch with the right one.
      return refs.map((ref) => {
        const job = claimed.get(toKey(ref)) ?? null;
        claimed.delete(toKey(ref));
        return job;
      });
    },
  });
  const settlements = createGroupCommit<Outcome, boolean>({
    maxItems: BATCH_MAX,
    async flush(outcomes) {
      const settled = await work.settle(outcomes);
      delivery.push(settled.handedOff);
      const fenced = new Set(settled.fenced.map(toKey));
      return outcomes.map((outcome) => !fenced.has(toKey(outcome)));
    },
  });

  /** The result is kept for as long as the lease could hold: a database that restarts costs no work. */
  async function settle(outcome: Outcome): Promise<"settled" | "fenced"> {
    for (const until = Date.now() + leaseMs; ;) {
      try {
        return (await settlements.add(outcome)) ? "settled" : "fenced";
      } catch (error) {
        if (isDataError(error) && outcome.kind === "done") {
          // Postgres will never take this result (a NUL in a text, say); the job must still end.
          return await settle({
            ...toOutcome(
              new RetryableError("bad_response", "the result cannot be stored", { cause: error }),
              { id: outcome.id, epoch: outcome.epoch, attempts: 0 },
              { maxAttempts: 1, random },
            ),
          });
        }
        if (Date.now() > until) throw error;
        reportSettle(error);
        // Also at shutdown: what was done is worth a second more than doing it again.
        await sleep(SETTLE_RETRY_MS, NEVER);
      }
    }
  }

  async function attempt(stage: RunnableStage, job: ClaimedJob, jobLog: Log): Promise<Outcome> {
    const abort = new AbortController();
    const signal = AbortSignal.any([
      abort.signal,
      shutdown.signal,
      AbortSignal.timeout(stage.timeoutMs),
    ]);
    const calls: CallSettlement[] = [];
    const ctx: StageContext = {
      signal,
      log: jobLog,
      attempt: job.attempts + 1,
      now,
      pay: (intent, call) => {
        const go = () => pay(deps.ledger, job, intent, call, calls);
        // The intent is written after the wait: a call that is sent back was never one.
        return deps.upstreams?.call(intent.engine, go, { signal }) ?? go();
      },
    };
    leases.hold(job, abort);
    try {
      const { output, records = [] } = await stage.run(job.input, ctx);
      return { id: job.id, epoch: job.epoch, kind: "done", output, records, calls };
    } catch (error) {
      if (shutdown.signal.aborted || abort.signal.reason instanceof LeaseLostError)
        return { id: job.id, epoch: job.epoch, kind: "released" };
      const cause = signal.aborted
        ? new RetryableError(
            "timeout",
            `${stage.name} ran over its limit of ${stage.timeoutMs / 1000} s`,
            { cause: error },
          )
        : toClipmillError(error);
      if (!(error instanceof ClipmillError) && !signal.aborted)
        jobLog.error({ err: error }, "stage threw an unknown error");
      return toOutcome(cause, job, { maxAttempts: stage.attempts, random });
    } finally {
      leases.drop(job);
    }
  }

  async function runClaimed(job: ClaimedJob): Promise<JobEnd> {
    const stage = stages.get(job.stage);
    const startedAt = performance.now();
    const jobLog = log.child({
      stage: job.stage,
      jobId: `${job.stage}-${job.id}-e${job.epoch}`,
      attempt: job.attempts + 1,
    });
    // Another version of the program put it there; that version will take it.
    const outcome: Outcome =
      stage === undefined
        ? { id: job.id, epoch: job.epoch, kind: "released" }
        : await attempt(stage, job, jobLog);
    failpoint("before-settle", job.stage);
    const end = await settle(outcome);
    const code = "code" in outcome ? outcome.code : null;
    const fields = {
      outcome: outcome.kind,
      code,
      durationMs: Math.round(performance.now() - startedAt),
      ageMs: Math.round(job.ageMs),
      fenced: end === "fenced",
    };
    if (outcome.kind === "failed") jobLog.error({ ...fields, reason: outcome.message }, "job dead");
    else jobLog.info(fields, "job ended");
    return { kind: end === "fenced" ? "fenced" : outcome.kind, code };
  }

  return {
    async run(ref) {
      // Unclaimed it stays queued, and goes to another worker when its hint's time is over.
      if (shutdown.signal.aborted) return { kind: "stale", code: null };
      const job = await claims.add(ref);
      if (job === null) return { kind: "stale", code: null };
      failpoint("after-claim", job.stage);
      runningCount++;
      const lease = new AbortController();
      leases.hold(job, lease);
      const leave = await gate.enter(job.lane === "solo");
      leases.drop(job);
      try {
        return await runClaimed(job);
      } finally {
        leave();
        runningCount--;
      }
    },
    count: () => runningCount,
    releaseAll: () => shutdown.abort(new ShutdownError("the worker is stopping")),
    async close() {
      shutdown.abort(new ShutdownError("the worker is stopping"));
      await claims.idle();
      await settlements.idle();
      await delivery.idle();
      leases.close();
    },
  };
}

async function pay<T extends { usd: number }>(
  ledger: CallLedger,
  job: JobRef,
  intent: PaidCall,
  call: () => Promise<T>,
  calls: CallSettlement[],
): Promise<T> {
  if (intent.estimateUsd === 0) return await call();
  const callId = await ledger.open(job, intent);
  try {
    const result = await call();
    calls.push({ callId, usd: result.usd });
    return result;
  } catch (error) {
    // What was aborted may have been billed: it stays unknown, at its estimate.
    if (error instanceof ClipmillError) await ledger.fail({ callId, usd: error.costUsd ?? 0 });
    throw error;
  }
}

/** Start-up fails unless every stage has exactly one processor. */
function toStageMap(stages: readonly RunnableStage[]): Map<string, RunnableStage> {
  const byName = new Map<string, RunnableStage>();
  for (const stage of stages) {
    if (byName.has(stage.name)) throw new Error(`stage ${stage.name} has two processors`);
    byName.set(stage.name, stage);
  }
  return byName;
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
