import {
  type ClaimedJob,
  failpoint,
  type JobRef,
  type Log,
  type Outcome,
  type RunnableStage,
  type WorkStore,
} from "@clipmill/domain";
import { attempt, type AttemptDeps, ShutdownError } from "./attempt.ts";
import { createClaims } from "./claims.ts";
import { createDelivery } from "./delivery.ts";
import type { Hints } from "./hints.ts";
import { createLeases } from "./leases.ts";
import { createSettlements } from "./settlements.ts";
import { createSoloGate } from "./solo-gate.ts";

export interface RunnerDeps extends Partial<Omit<AttemptDeps, "ledger">> {
  stages: readonly RunnableStage[];
  work: Pick<WorkStore, "claim" | "extend" | "settle" | "unpick">;
  /** Where the hints of next steps go that settling queued at once. */
  hints: Pick<Hints, "push">;
  ledger: AttemptDeps["ledger"];
  workerId: string;
  leaseMs: number;
  log: Log;
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

export function createRunner(deps: RunnerDeps): Runner {
  const { work, hints, workerId, leaseMs, log } = deps;
  const { ledger, upstreams, now = () => new Date(), random = Math.random } = deps;
  const attemptDeps: AttemptDeps = { ledger, upstreams, now, random };
  const stages = toStageMap(deps.stages);
  const leases = createLeases({ work, leaseMs, log });
  const gate = createSoloGate();
  const delivery = createDelivery({ work, hints, log });
  const claims = createClaims({ work, workerId, batchMax: BATCH_MAX });
  const settlements = createSettlements({
    work,
    delivery,
    leaseMs,
    batchMax: BATCH_MAX,
    random,
    log,
  });
  let isStopping = false;
  let runningCount = 0;

  async function runClaimed(job: ClaimedJob, abort: AbortController): Promise<JobEnd> {
    const stage = stages.get(job.stage);
    const startedAt = performance.now();
    const jobLog = log.child({
      stage: job.stage,
      jobId: `${job.stage}-${job.id}-e${job.epoch}`,
      attempt: job.attempts + 1,
    });
    // What this program does not know, another version put there; that version will take it.
    const outcome: Outcome =
      stage === undefined || abort.signal.aborted
        ? { id: job.id, epoch: job.epoch, kind: "released" }
        : await attempt(attemptDeps, stage, job, { abort, log: jobLog });
    leases.drop(job);
    failpoint("before-settle", job.stage);
    const end = await settlements.settle(outcome);
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

  function releaseAll(): void {
    isStopping = true;
    leases.abortAll(new ShutdownError("the worker is stopping"));
  }

  return {
    async run(ref) {
      // Unclaimed it stays queued, and goes to another worker when its hint's time is over.
      if (isStopping) return { kind: "stale", code: null };
      const job = await claims.claim(ref);
      if (job === null) return { kind: "stale", code: null };
      failpoint("after-claim", job.stage);
      runningCount++;
      const abort = leases.hold(job);
      if (isStopping) abort.abort(new ShutdownError("the worker is stopping"));
      const leave = await gate.enter(job.lane === "solo");
      try {
        return await runClaimed(job, abort);
      } finally {
        leave();
        runningCount--;
      }
    },
    count: () => runningCount,
    releaseAll,
    async close() {
      releaseAll();
      await claims.idle();
      await settlements.idle();
      await delivery.idle();
      leases.close();
    },
  };
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
