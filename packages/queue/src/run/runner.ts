import {
  type CallLedger,
  failpoint,
  type JobRef,
  type Log,
  type RunnableStage,
  type WorkStore,
} from "@clipmill/domain";
import type { Hints } from "../bullmq/hints.ts";
import { createDelivery } from "../dispatch/delivery.ts";
import { createErrorLog } from "../throttled-log.ts";
import { type AttemptDeps, ShutdownError } from "./attempt.ts";
import { createClaims } from "./claims.ts";
import { createEagerStarts, NO_ROUTE, type Route } from "./eager/eager-starts.ts";
import { createRunTimes } from "./eager/run-times.ts";
import { createExclusion } from "./exclusion.ts";
import { createLeases } from "./leases.ts";
import { createPaidCalls } from "./paid-calls.ts";
import { type Chains, runHinted } from "./run-chain.ts";
import type { JobEnd, WorkTally } from "./run-job.ts";
import { createSettlements } from "./settlements.ts";
import { createUnknownStages } from "./unknown-stages.ts";

export interface RunnerDeps extends Partial<Omit<AttemptDeps, "paidCalls">> {
  stages: readonly RunnableStage[];
  work: Pick<WorkStore, "claim" | "startAlone" | "extend" | "extendSettling" | "settle" | "return">;
  /** Takes the hints of next steps that were queued when an outcome was stored. */
  hints: Pick<Hints, "push">;
  /** Default: nothing starts eagerly. */
  route?: Route;
  ledger: CallLedger;
  workerId: string;
  leaseMs: number;
  log: Log;
}

/** Runs jobs of any queue in this process: claim, run, store the outcome, and go on with what starts eagerly. */
export interface Runner {
  /** Resolves when the stage has ended and its slot is free; the outcome may still be on its way to Postgres. */
  run(ref: JobRef): Promise<JobEnd>;
  /** Jobs under way, including those whose outcome is being stored. */
  count(): number;
  tally(): Readonly<WorkTally>;
  /** Resolves when no outcome is on its way to Postgres. */
  stored(): Promise<void>;
  /** Starts nothing eagerly any more; resolves when what started eagerly has ended. */
  drain(): Promise<void>;
  /** Aborts what is under way; its jobs go back and it costs them no attempt. */
  releaseAll(): void;
  close(): Promise<void>;
}

/**
 * Most items of one statement. A bigger batch holds its row locks longer, and with batches of 80 two at once found too few
 * of 100 slots for eager starts.
 */
const BATCH_MAX = 64;

/** Wires the parts, each made of those before it. */
export function createRunner(deps: RunnerDeps): Runner {
  const { work, workerId, leaseMs, log, upstreams, turns } = deps;
  const { route = NO_ROUTE, now = () => new Date(), random = Math.random } = deps;
  const shared = { work, leaseMs, log, batchMax: BATCH_MAX };
  const stages = toStageMap(deps.stages);
  const paidCalls = createPaidCalls({ ledger: deps.ledger, batchMax: BATCH_MAX });
  const leases = createLeases(shared);
  const claims = createClaims({ ...shared, workerId });
  const delivery = createDelivery({ ...shared, hints: deps.hints });
  const runTimes = createRunTimes();
  const eagerStarts = createEagerStarts({ stages, route, workerId, runTimes });
  const settlements = createSettlements({ ...shared, delivery, eagerStarts, random });
  const chains: Chains = {
    parts: {
      stages,
      attemptDeps: { paidCalls, upstreams, turns, now, random },
      work,
      leases,
      exclusion: createExclusion(),
      runTimes,
      settlements,
      unknownStages: createUnknownStages(log),
      tally: { ended: 0, givenBack: 0, lost: 0 },
      log,
      reportLost: createErrorLog(log, "result lost"),
      reportNotStarted: createErrorLog(log, "quarantined job not started"),
    },
    eagerStarts,
    unstored: new Set(),
    runningCount: 0,
  };

  function releaseAll(): void {
    claims.stop();
    leases.abortAll(new ShutdownError("the worker is stopping"));
  }

  return {
    async run(ref) {
      const job = await claims.claim(ref);
      if (job === null) return { kind: "stale", code: null };
      failpoint("after-claim", job.stage);
      return await runHinted(chains, job);
    },
    count: () => chains.runningCount + chains.unstored.size,
    tally: () => chains.parts.tally,
    stored: async () => void (await Promise.all(chains.unstored)),
    drain: () => eagerStarts.close(),
    releaseAll,
    async close() {
      releaseAll();
      await claims.idle();
      await eagerStarts.close();
      await Promise.all(chains.unstored);
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
