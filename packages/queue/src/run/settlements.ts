import {
  type ClaimedJob,
  ClipmillError,
  type Log,
  type Outcome,
  RetryableError,
  type Settled,
  type WorkStore,
} from "@clipmill/domain";
import type { EagerStarts } from "./eager/eager-starts.ts";
import type { Delivery } from "../dispatch/delivery.ts";
import { createGroupCommit, isItemError } from "../group-commit.ts";
import { jitter, sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";
import { toOutcome } from "./to-outcome.ts";

/** Stores outcomes in batches, and delivers the hints of next steps that were queued with them. */
export interface Settlements {
  /** Throws when Postgres stayed away for several leases. */
  settle(outcome: Outcome, stage: string): Promise<Settlement>;
}

export interface Settlement {
  /** The job was no longer the caller's, and nothing of it was written. */
  isFenced: boolean;
  /**
   * Next steps that start eagerly: they are claimed and have slots, and the caller must run them. Not only those of its
   * own job: the first caller of a batch gets those of the whole batch.
   */
  started: readonly ClaimedJob[];
}

interface Stored {
  outcome: Outcome;
  stage: string;
}

/** Submitted requests and resolved tokens that take a transaction as long as the end of one job does. */
const EFFECTS_PER_JOB = 10;
/** With two at once, next steps are planned here while Postgres writes: two cores were 84 % busy instead of 74 %. */
const FLUSHES = 2;
const RETRY_MS = 200;
const STORED_WITHIN_LEASES = 4;
const NEVER = new AbortController().signal;

export function createSettlements(options: {
  work: Pick<WorkStore, "settle">;
  delivery: Pick<Delivery, "push">;
  eagerStarts: Pick<EagerStarts, "expect" | "takeSlots" | "returnUnused">;
  leaseMs: number;
  batchMax: number;
  random: () => number;
  log: Log;
}): Settlements {
  const { work, delivery, eagerStarts, leaseMs, batchMax, random } = options;
  const report = createErrorLog(options.log, "result not stored yet");
  // One for all, or outcomes that failed together would each be stored alone.
  const retryMs = jitter(RETRY_MS);
  const batches = createGroupCommit<Stored, Settlement>({
    maxItems: batchMax,
    maxFlushes: FLUSHES,
    weigh: ({ outcome }) => toWeight(outcome),
    async flush(batch) {
      const settled = await settleBatch(batch);
      delivery.push(settled.enqueued);
      const fenced = new Set(settled.fenced.map(({ id, epoch }) => `${id}-${epoch}`));
      return batch.map(({ outcome: { id, epoch } }, i) => ({
        isFenced: fenced.has(`${id}-${epoch}`),
        started: i === 0 ? settled.started : [],
      }));
    },
  });

  async function settleBatch(batch: readonly Stored[]): Promise<Settled> {
    const outcomes = batch.map(({ outcome }) => outcome);
    const taken = eagerStarts.takeSlots(batch.map(({ stage }) => stage));
    if (taken === null) return await work.settle(outcomes);
    let started: readonly ClaimedJob[] = [];
    try {
      const settled = await work.settle(outcomes, taken);
      ({ started } = settled);
      return settled;
    } finally {
      eagerStarts.returnUnused(taken, started);
    }
  }

  return {
    async settle(outcome, stage) {
      const stored = eagerStarts.expect(stage);
      try {
        return await store({ outcome, stage });
      } finally {
        stored();
      }
    },
  };

  async function store(item: Stored): Promise<Settlement> {
    let { outcome } = item;
    // The lease is extended meanwhile where Postgres allows, so a restart or a connection that hangs costs no work.
    for (const until = performance.now() + STORED_WITHIN_LEASES * leaseMs; ;) {
      try {
        return await batches.add({ ...item, outcome });
      } catch (error) {
        if (isItemError(error) && outcome === item.outcome) {
          outcome = toUnstorable(outcome, error, random);
          continue;
        }
        if (performance.now() > until) throw error;
        report(error);
        // At shutdown, too: to wait a second longer costs less than to do the work again.
        await sleep(retryMs, NEVER);
      }
    }
  }
}

/**
 * This will never be stored (a NUL in a text, a request that its tenant cannot pay); the job must still end, with the
 * code of the rule that refuses it, if there is one.
 */
function toUnstorable({ id, epoch }: Outcome, cause: unknown, random: () => number): Outcome {
  const error =
    cause instanceof ClipmillError
      ? cause
      : new RetryableError("bad_response", "the result cannot be stored", { cause });
  return toOutcome(error, { id, epoch, attempts: 0 }, { maxAttempts: 1, random });
}

/** A stage may submit hundreds of requests: 64 such jobs in one transaction would hold their locks for seconds. */
function toWeight(outcome: Outcome): number {
  if (outcome.kind !== "done" && outcome.kind !== "waiting") return 1;
  const { submit = [], resolve = [] } = outcome;
  return 1 + (submit.length + resolve.length) / EFFECTS_PER_JOB;
}
