import {
  type CallLedger,
  type EagerStart,
  failpoint,
  type QueueName,
  type WorkStore,
} from "@clipmill/domain";
import { type Database, type Queryable, withTransaction } from "../database.ts";
import { openCalls } from "../ledger/open-calls.ts";
import { acceptSubmissions } from "./accept/accept.ts";
import { claimJobs, extendLeases, extendSettling, startAlone } from "./claim.ts";
import { dispatchJobs, returnJobs } from "./dispatch.ts";
import { CANCELLED, endNextChildren, endRequestsEarly, expireDeadlines } from "./end-early.ts";
import { advanceAttached } from "./plan/advance-attached.ts";
import { type DirectEnqueue, NO_DIRECT_ENQUEUE } from "./plan/insert-jobs.ts";
import { createPlanning, type PipelineRules } from "./plan/planning.ts";
import { reconcileJobs, requeueAll } from "./reconcile.ts";
import { resolveWaits } from "./resolve.ts";
import { settleOutcomes } from "./settle.ts";
import { replanStranded } from "./stranded.ts";

export interface WorkStoreOptions {
  pipelines: PipelineRules;
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
/** Some thousand children: more than most have, and a second at most. */
const CHILD_PAGES_AT_ONCE = 8;

export function createWorkStore(
  { pool }: Pick<Database, "pool">,
  options: WorkStoreOptions,
): WorkStore & CallLedger {
  const planning = createPlanning(options.pipelines);
  const { settleWithinMs = SETTLE_WITHIN_MS } = options;
  let strandedAfterId = "";
  let patience = 1;

  /** Ends children in pages, a transaction each, until none is left or so many pages are done. */
  async function endChildren(pagesMax: number): Promise<number> {
    let count = 0;
    for (let page = 0; page < pagesMax; page++) {
      const ended = await withTransaction(pool, endNextChildren);
      if (ended === null) break;
      count += ended;
    }
    return count;
  }

  return {
    async accept(submissions) {
      const accepted = await withTransaction(pool, async (tx) => {
        const written = await acceptSubmissions(tx, planning, submissions);
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
      const directEnqueue = toDirectEnqueue(options, eagerStart ?? null);
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
    async resolve(resolutions) {
      const resolved = await withTransaction(pool, async (tx) => {
        const refs = await resolveWaits(tx, resolutions);
        await advanceAttached(
          tx,
          planning,
          refs.map(({ id }) => id),
        );
        failpoint("in-resolve");
        return refs;
      });
      failpoint("after-resolve");
      return resolved;
    },
    reconcile: ({ spareLeases = false } = {}) =>
      withTransaction(pool, (tx) => reconcileJobs(tx, planning, { spareLeases })),
    expireDeadlines: () => withTransaction(pool, expireDeadlines),
    async cancel(requestIds) {
      const ended = await withTransaction(pool, (tx) =>
        endRequestsEarly(tx, requestIds, CANCELLED),
      );
      // What of their children is left after this is the reconciler's.
      if (ended.length > 0) await endChildren(CHILD_PAGES_AT_ONCE);
      return ended;
    },
    endChildren: () => endChildren(CHILD_PAGES_AT_ONCE),
    async replanStranded() {
      const { nextAfterId, ...stranded } = await withTransaction(pool, (tx) =>
        replanStranded(tx, planning, strandedAfterId),
      );
      strandedAfterId = nextAfterId;
      return stranded;
    },
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

function toDirectEnqueue(
  { window, queuedForMs, leaseMs }: WorkStoreOptions,
  eagerStart: EagerStart | null,
): DirectEnqueue {
  return window === undefined ? NO_DIRECT_ENQUEUE : { window, queuedForMs, leaseMs, eagerStart };
}
