import {
  type CallLedger,
  failpoint,
  type Planner,
  type QueueName,
  type WorkStore,
} from "@clipmill/domain";
import { type Database, type Queryable, withTransaction } from "../database.ts";
import { acceptSubmissions } from "./accept/accept.ts";
import { openCalls } from "../ledger/open-calls.ts";
import {
  claimJobs,
  extendLeases,
  extendSettling,
  dispatchJobs,
  startAlone,
  returnJobs,
} from "./dispatch.ts";
import { type DirectEnqueue, NO_DIRECT_ENQUEUE } from "./plan/insert-jobs.ts";
import { reconcileJobs, requeueAll } from "./reconcile.ts";
import { createRequestOptions } from "./accept/request-options.ts";
import { settleOutcomes } from "./settle.ts";
import { CANCELLED, expireDeadlines, endRequestsEarly } from "./end-early.ts";

export interface WorkStoreOptions {
  plan: Planner;
  /** How long a worker keeps a job without a heartbeat. Too low runs work twice; too high delays recovery. */
  leaseMs: number;
  /** How long a hint may wait in the queue before it counts as lost. Too low dispatches work twice under load. */
  queuedForMs: number;
  /**
   * Hints that may stand in each queue, for a process that pushes the hints of `enqueued` itself. Not set: what
   * settling makes ready waits for a dispatcher.
   */
  window?: DirectEnqueue["window"];
  /**
   * A settlement that is not answered for so long is given up, and its connection with it; its outcomes are for the
   * caller to bring again. Each failure in a row doubles it, so that a server which is slow and not gone gets done.
   * Default 10 s: what the server gives a transaction that stands still, so nothing is locked when it comes again.
   */
  settleWithinMs?: number;
}

const SETTLE_WITHIN_MS = 10_000;
/** The pool's limit of a statement ends what takes longer. */
const PATIENCE_MAX = 4;

export function createWorkStore(
  { pool }: Pick<Database, "pool">,
  options: WorkStoreOptions,
): WorkStore & CallLedger {
  const planning = {
    plan: options.plan,
    options: createRequestOptions(),
    directEnqueue:
      options.window === undefined
        ? NO_DIRECT_ENQUEUE
        : {
            window: options.window,
            queuedForMs: options.queuedForMs,
            leaseMs: options.leaseMs,
            eagerStart: null,
          },
  };
  const noDirectEnqueue = { ...planning, directEnqueue: NO_DIRECT_ENQUEUE };
  const { settleWithinMs = SETTLE_WITHIN_MS } = options;
  let patience = 1;
  return {
    async accept(submissions) {
      const accepted = await withTransaction(pool, async (tx) => {
        const written = await acceptSubmissions(tx, noDirectEnqueue, submissions);
        failpoint("in-accept");
        return written;
      });
      failpoint("after-accept");
      return accepted;
    },
    async dispatch(queue: QueueName, window, overflow) {
      const dispatched = await withTransaction(pool, (tx) =>
        dispatchJobs(tx, queue, { window, overflow }, options.queuedForMs),
      );
      if (dispatched.length > 0) failpoint("after-dispatch", queue);
      return dispatched;
    },
    return: (refs) => returnJobs(pool, refs),
    claim: (refs, workerId) => claimJobs(pool, refs, workerId, options.leaseMs),
    startAlone: (ref) => startAlone(pool, ref),
    extend: (refs) => extendLeases(pool, refs, options.leaseMs),
    extendSettling: (refs) => extendSettling(pool, refs, options.leaseMs),
    async settle(outcomes, eagerStart) {
      const directEnqueue = { ...planning.directEnqueue, eagerStart: eagerStart ?? null };
      const write = async (tx: Queryable) => {
        const written = await settleOutcomes(tx, { ...planning, directEnqueue }, outcomes);
        failpoint("in-settle");
        return written;
      };
      const ownPatience = patience;
      try {
        const settled = await withTransaction(pool, write, {
          withinMs: settleWithinMs * ownPatience,
        });
        patience = 1;
        failpoint("after-settle");
        return settled;
      } catch (error) {
        // From its own: two at once that fail together are one failure.
        patience = Math.min(PATIENCE_MAX, ownPatience * 2);
        throw error;
      }
    },
    reconcile: ({ spareLeases = false } = {}) =>
      withTransaction(pool, (tx) => reconcileJobs(tx, noDirectEnqueue, { spareLeases })),
    expireDeadlines: () => withTransaction(pool, expireDeadlines),
    cancel: (requestIds) =>
      withTransaction(pool, (tx) => endRequestsEarly(tx, requestIds, CANCELLED)),
    requeueAll: () => requeueAll(pool),

    open: (intents) => openCalls(pool, intents),

    async fail({ callId, usd }) {
      await pool.query({
        name: "fail_call",
        text: "update cost_entry set state = 'failed', usd = $2 where id = $1",
        values: [callId, usd],
      });
    },
  };
}
