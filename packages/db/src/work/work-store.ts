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
  keepLeases,
  pickJobs,
  startAlone,
  unpickJobs,
} from "./dispatch.ts";
import { type HandOff, NO_HAND_OFF } from "./plan/insert-jobs.ts";
import { reconcileJobs, requeueAll } from "./reconcile.ts";
import { createRequestOptions } from "./accept/request-options.ts";
import { settleOutcomes } from "./settle.ts";
import { CANCELLED, expireDeadlines, withdrawRequests } from "./withdraw.ts";

export interface WorkStoreOptions {
  plan: Planner;
  /** How long a worker keeps a job without a heartbeat. Too low runs work twice; too high delays recovery. */
  leaseMs: number;
  /** How long a hint may wait in the queue before it counts as lost. Too low dispatches work twice under load. */
  queuedForMs: number;
  /**
   * Hints that may stand in each queue, for a process that pushes the hints of `handedOff` itself. Not set: what
   * settling makes ready waits for a dispatcher.
   */
  window?: HandOff["window"];
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
    handOff:
      options.window === undefined
        ? NO_HAND_OFF
        : {
            window: options.window,
            queuedForMs: options.queuedForMs,
            leaseMs: options.leaseMs,
            carryOn: null,
          },
  };
  const noHandOff = { ...planning, handOff: NO_HAND_OFF };
  const { settleWithinMs = SETTLE_WITHIN_MS } = options;
  let patience = 1;
  return {
    async accept(submissions) {
      const accepted = await withTransaction(pool, async (tx) => {
        const written = await acceptSubmissions(tx, noHandOff, submissions);
        failpoint("in-accept");
        return written;
      });
      failpoint("after-accept");
      return accepted;
    },
    async pick(queue: QueueName, window, passes) {
      const picked = await withTransaction(pool, (tx) =>
        pickJobs(tx, queue, { window, passes }, options.queuedForMs),
      );
      if (picked.length > 0) failpoint("after-pick", queue);
      return picked;
    },
    unpick: (refs) => unpickJobs(pool, refs),
    claim: (refs, workerId) => claimJobs(pool, refs, workerId, options.leaseMs),
    startAlone: (ref) => startAlone(pool, ref),
    extend: (refs) => extendLeases(pool, refs, options.leaseMs),
    keep: (refs) => keepLeases(pool, refs, options.leaseMs),
    async settle(outcomes, carryOn) {
      const handOff = { ...planning.handOff, carryOn: carryOn ?? null };
      const write = async (tx: Queryable) => {
        const written = await settleOutcomes(tx, { ...planning, handOff }, outcomes);
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
      withTransaction(pool, (tx) => reconcileJobs(tx, noHandOff, { spareLeases })),
    expireDeadlines: () => withTransaction(pool, expireDeadlines),
    cancel: (requestIds) =>
      withTransaction(pool, (tx) => withdrawRequests(tx, requestIds, CANCELLED)),
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
