import {
  type CallLedger,
  type ClaimedJob,
  failpoint,
  type JobRef,
  type Log,
  type Outcome,
  type RunnableStage,
  type WorkStore,
} from "@clipmill/domain";
import { attempt, type AttemptDeps, ShutdownError } from "./attempt.ts";
import { createPaidCalls } from "./paid-calls.ts";
import { createEagerStarts, NO_ROUTE, type Route } from "./eager-starts.ts";
import { createClaims } from "./claims.ts";
import { createDelivery } from "../dispatch/delivery.ts";
import type { Hints } from "../bullmq/hints.ts";
import { createLeases } from "./leases.ts";
import { createSettlements } from "./settlements.ts";
import { sleep } from "../sleep.ts";
import { createSoloGate } from "./exclusion.ts";
import { createErrorLog } from "../throttled-log.ts";

export interface RunnerDeps extends Partial<Omit<AttemptDeps, "paidCalls">> {
  stages: readonly RunnableStage[];
  work: Pick<WorkStore, "claim" | "startAlone" | "extend" | "extendSettling" | "settle" | "return">;
  /** Where the hints of next steps go that settling queued at once. */
  hints: Pick<Hints, "push">;
  /** Default: nothing is carried on. */
  route?: Route;
  ledger: CallLedger;
  workerId: string;
  leaseMs: number;
  log: Log;
}

/** How one hint ended; `stale` claimed nothing. Whether the outcome was stored in time is the settlement's matter. */
export type JobEnd = { kind: Outcome["kind"] | "stale"; code: string | null };

/** Runs jobs of any queue in this process: claim, run, settle. */
export interface Runner {
  /**
   * Resolves when the stage has ended: its slot need not stand still while the outcome is stored. Where outcomes
   * pile up, it waits for its own.
   */
  run(ref: JobRef): Promise<JobEnd>;
  /** Jobs under way, those whose outcome is being stored included. */
  count(): number;
  /** Carries nothing on any more; resolves when what was carried on has ended. */
  drain(): Promise<void>;
  /** Aborts what is under way; it is given back and costs no attempt. */
  releaseAll(): void;
  close(): Promise<void>;
}

/** A bigger batch holds its row locks longer, and two of 80 at once found too few of 100 slots to carry on what followed. */
const BATCH_MAX = 64;
const CLAIM_RETRY_MS = 500;
/** Until another program of this queue may have taken it. */
const UNKNOWN_STAGE_MS = 10_000;
const NEVER = new AbortController().signal;
/** Outcomes that may wait for the database before slots do: enough for the few slots of a GPU, whose time is dear. */
const UNSTORED_MAX = 8;

export function createRunner(deps: RunnerDeps): Runner {
  const { work, hints, workerId, leaseMs, log } = deps;
  const { ledger, upstreams, now = () => new Date(), random = Math.random } = deps;
  const paidCalls = createPaidCalls({ ledger, batchMax: BATCH_MAX });
  const attemptDeps: AttemptDeps = { paidCalls, upstreams, now, random };
  const stages = toStageMap(deps.stages);
  const leases = createLeases({ work, leaseMs, log });
  const gate = createSoloGate();
  const delivery = createDelivery({ work, hints, log });
  const claims = createClaims({ work, workerId, batchMax: BATCH_MAX });
  const eagerStarts = createEagerStarts({
    stages,
    route: deps.route ?? NO_ROUTE,
    workerId,
    run: runEager,
  });
  const settlements = createSettlements({
    work,
    delivery,
    eagerStarts,
    leaseMs,
    batchMax: BATCH_MAX,
    random,
    log,
  });
  const unstored = new Set<Promise<void>>();
  let isStopping = false;
  let runningCount = 0;

  const report = createErrorLog(log, "result lost");
  const reportStart = createErrorLog(log, "job alone not started");
  const reportClaim = createErrorLog(log, "job not claimed yet");

  /** A database that restarts costs a wait, not all the hints of the window. Null: stale, or given up. */
  async function claim(ref: JobRef): Promise<ClaimedJob | null> {
    for (const until = Date.now() + leaseMs; !isStopping && Date.now() < until;) {
      try {
        return await claims.claim(ref);
      } catch (error) {
        reportClaim(error);
        await sleep(CLAIM_RETRY_MS, NEVER);
      }
    }
    // Nobody else would take it before its hint's time is over.
    await work.return([ref]).catch(reportClaim);
    return null;
  }

  async function mayStart(job: ClaimedJob): Promise<boolean> {
    if (job.lane !== "quarantine") return true;
    return await work.startAlone(job).catch((error: unknown) => {
      reportStart(error);
      return false;
    });
  }

  async function runStage(
    job: ClaimedJob,
    { abort, log: jobLog }: { abort: AbortController; log: Log },
  ): Promise<Outcome> {
    const stage = stages.get(job.stage);
    const released = { id: job.id, epoch: job.epoch, kind: "released" } as const;
    // What this program does not know, another version put there; that version will take it.
    if (stage === undefined) return { ...released, delayMs: UNKNOWN_STAGE_MS };
    if (abort.signal.aborted || !(await mayStart(job))) return released;
    return await attempt(attemptDeps, stage, job, { abort, log: jobLog });
  }

  async function store(outcome: Outcome, job: ClaimedJob, ran: Ran): Promise<void> {
    failpoint("before-settle", job.stage);
    const end = await settlements.settle(outcome, job.stage);
    const fields = {
      outcome: outcome.kind,
      code: toCode(outcome),
      durationMs: Math.round(ran.durationMs),
      ageMs: Math.round(job.ageMs),
      fenced: end === "fenced",
    };
    if (outcome.kind === "failed")
      ran.log.error({ ...fields, reason: outcome.message }, "job dead");
    else ran.log.info(fields, "job ended");
  }

  async function runClaimed(job: ClaimedJob, unstoredMax: number): Promise<JobEnd> {
    const jobLog = log.child({
      stage: job.stage,
      jobId: `${job.stage}-${job.id}-e${job.epoch}`,
      attempt: job.attempts + 1,
    });
    const abort = leases.hold(job);
    if (isStopping) abort.abort(new ShutdownError("the worker is stopping"));
    const leave = await gate.enter(job.lane === "quarantine" && stages.has(job.stage));
    const startedAt = performance.now();
    const outcome = await runStage(job, { abort, log: jobLog });
    leases.keep(job);
    const durationMs = performance.now() - startedAt;
    eagerStarts.note(job.stage, durationMs, outcome.kind === "done");
    const stored = store(outcome, job, { durationMs, log: jobLog })
      // Its lease runs out, and the job runs again.
      .catch(report)
      .finally(() => {
        leases.drop(job);
        unstored.delete(stored);
        // Not before: a crash of the next one alone would be laid at the door of this one, too.
        leave();
      });
    unstored.add(stored);
    if (unstored.size > unstoredMax) await stored;
    return { kind: outcome.kind, code: toCode(outcome) };
  }

  async function runCounted(job: ClaimedJob, unstoredMax: number): Promise<JobEnd> {
    runningCount++;
    return await runClaimed(job, unstoredMax).finally(() => runningCount--);
  }

  /** What piles up is held back where chains of jobs begin: at their hints. */
  function runEager(job: ClaimedJob): Promise<JobEnd> {
    failpoint("after-eager-start", job.stage);
    return runCounted(job, Number.POSITIVE_INFINITY);
  }

  function releaseAll(): void {
    isStopping = true;
    leases.abortAll(new ShutdownError("the worker is stopping"));
  }

  return {
    async run(ref) {
      const job = await claim(ref);
      if (job === null) return { kind: "stale", code: null };
      failpoint("after-claim", job.stage);
      return await runCounted(job, UNSTORED_MAX);
    },
    count: () => runningCount + unstored.size,
    drain: () => eagerStarts.close(),
    releaseAll,
    async close() {
      releaseAll();
      await claims.idle();
      await eagerStarts.close();
      await Promise.all(unstored);
      await delivery.idle();
      leases.close();
    },
  };
}

interface Ran {
  durationMs: number;
  log: Log;
}

function toCode(outcome: Outcome): string | null {
  return "code" in outcome ? outcome.code : null;
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
