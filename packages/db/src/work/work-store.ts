import {
  type CallLedger,
  failpoint,
  type QueueName,
  type WaitingLimits,
  type WorkStore,
} from "@clipmill/domain";
import type { RecordTable } from "../artifacts/record-table.ts";
import { type Database, type Queryable, withTransaction } from "../database.ts";
import { createCallLedger } from "../ledger/call-ledger.ts";
import { createPatience } from "../patience.ts";
import { acceptSubmissions } from "./accept/accept.ts";
import { claimJobs, extendLeases, extendSettling, startAlone } from "./dispatch/claim.ts";
import { dispatchJobs, returnJobs } from "./dispatch/dispatch.ts";
import { findDueQueues } from "./dispatch/find-due.ts";
import { findLanesAt } from "./dispatch/find-lanes-at.ts";
import { createEnding } from "./end/ending.ts";
import type { DirectEnqueue } from "./plan/insert-jobs.ts";
import { createPlanning, type PipelineRules, type Planning } from "./plan/planning.ts";
import { createRecovery } from "./reconcile/recovery.ts";
import { createSettling } from "./settle/settling.ts";

export interface WorkStoreOptions {
  pipelines: PipelineRules;
  /** Where records are stored, in the order in which a batch stores them. Default: the tables of the built-in kinds. */
  tables?: readonly RecordTable[];
  /**
   * How many requests one transaction plans when a job ends that many need. The rest follows in pages of the same size.
   * Default 1,000. Too high holds locks for long; too low makes the last of many callers wait.
   */
  advancedMax?: number;
  /** How long a worker keeps a job without a heartbeat. Too low runs work twice; too high delays recovery. */
  leaseMs: number;
  /** How long a hint may wait in the queue before it counts as lost. Too low dispatches work twice under load. */
  queuedForMs: number;
  /**
   * How many hints each queue may hold, for a process that pushes the hints of `Settled.enqueued` itself. Not set: next
   * steps wait for a dispatcher.
   */
  window?: DirectEnqueue["window"];
  /**
   * A settlement that gets no answer within this time fails and its connection is dropped; the caller must settle the
   * outcomes again. Each failure in a row doubles it, up to four times, so that a server that is only slow can finish.
   * Default 10 s: by then the server has ended a transaction that stood still, so it holds no locks when the caller
   * tries again.
   */
  settleWithinMs?: number;
  /** How long jobs may wait for what is not there; see `WorkStore.failOverdue`. Default: for ever. */
  waitingLimits?: WaitingLimits;
  /**
   * The same of an accept: a connection that hangs must not hold up those who come after. What it had accepted may be
   * stored all the same. Default: the pool's limits.
   */
  acceptWithinMs?: number;
}

/** `reserved`, for leases and outcomes, is `pool` where there is none. */
type Pools = Pick<Database, "pool"> & Partial<Pick<Database, "reserved">>;

/** The record of all work, in Postgres: see `WorkStore`. Each method is one transaction, or several in pages. */
export function createWorkStore(
  { pool, reserved = pool }: Pools,
  options: WorkStoreOptions,
): WorkStore & CallLedger {
  const planning = createPlanning(options.pipelines, options);
  return {
    ...createAccepting(pool, planning, options),
    ...createScheduling(pool, options),
    ...createHolding(reserved, options),
    ...createSettling({ pool, reserved }, planning, options),
    ...createEnding(pool),
    ...createRecovery(pool, planning, options.waitingLimits ?? {}),
    ...createCallLedger(pool),
  };
}

function createAccepting(
  pool: Database["pool"],
  planning: Planning,
  { acceptWithinMs }: WorkStoreOptions,
): Pick<WorkStore, "accept"> {
  const patience = acceptWithinMs === undefined ? null : createPatience(acceptWithinMs);
  return {
    async accept(submissions) {
      const write = async (tx: Queryable) => {
        const written = await acceptSubmissions(tx, planning, submissions);
        failpoint("in-accept");
        return written;
      };
      const store = (withinMs?: number) => withTransaction(pool, write, { withinMs });
      const accepted = await (patience === null ? store() : patience(store));
      failpoint("after-accept");
      return accepted;
    },
  };
}

function createScheduling(
  pool: Database["pool"],
  { leaseMs, queuedForMs }: WorkStoreOptions,
): Pick<WorkStore, "dispatch" | "findDue" | "findLanesAt" | "return" | "claim"> {
  return {
    async dispatch(queue: QueueName, window, options) {
      const dispatched = await withTransaction(pool, (tx) =>
        dispatchJobs(tx, queue, { window, ...options }, queuedForMs),
      );
      if (dispatched.length > 0) failpoint("after-dispatch", queue);
      return dispatched;
    },
    findDue: (queues) => findDueQueues(pool, queues),
    findLanesAt: (places) => findLanesAt(pool, places),
    return: (refs) => returnJobs(pool, refs),
    claim: (refs, workerId) => claimJobs(pool, refs, workerId, leaseMs),
  };
}

/** What a worker says of jobs that it holds. */
function createHolding(
  pool: Database["pool"],
  { leaseMs }: WorkStoreOptions,
): Pick<WorkStore, "startAlone" | "extend" | "extendSettling"> {
  return {
    startAlone: (ref) => startAlone(pool, ref),
    extend: (refs) => extendLeases(pool, refs, leaseMs),
    extendSettling: (refs) => extendSettling(pool, refs, leaseMs),
  };
}
