import {
  type ClaimedJob,
  ClipmillError,
  type Log,
  type Outcome,
  RetryableError,
  type Settled,
  type WorkStore,
} from "@clipmill/domain";
import type { EagerStarts } from "./eager-starts.ts";
import type { Delivery } from "../dispatch/delivery.ts";
import { createGroupCommit, isItemError } from "../group-commit.ts";
import { sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";
import { toOutcome } from "./to-outcome.ts";

/** Stores outcomes in batches, and passes on what follows: carried on here, or as hints. */
export interface Settlements {
  /**
   * `fenced`: the job was no longer the caller's, and nothing was written. Throws when the database stayed away for
   * several leases.
   */
  settle(outcome: Outcome, stage: string): Promise<"settled" | "fenced">;
}

interface Stored {
  outcome: Outcome;
  stage: string;
}

/** One is planned here while Postgres writes another. Two keep two cores busier than one by one: 84 % against 74. */
const FLUSHES = 2;
const RETRY_MS = 200;
const STORED_WITHIN_LEASES = 4;
const NEVER = new AbortController().signal;

export function createSettlements(options: {
  work: Pick<WorkStore, "settle">;
  delivery: Pick<Delivery, "push">;
  eagerStarts: Pick<EagerStarts, "expect" | "reserve" | "start">;
  leaseMs: number;
  batchMax: number;
  random: () => number;
  log: Log;
}): Settlements {
  const { work, delivery, eagerStarts, leaseMs, batchMax, random } = options;
  const report = createErrorLog(options.log, "result not stored yet");
  const batches = createGroupCommit<Stored, boolean>({
    maxItems: batchMax,
    maxFlushes: FLUSHES,
    async flush(batch) {
      const settled = await settleBatch(batch);
      delivery.push(settled.enqueued);
      const fenced = new Set(settled.fenced.map(({ id, epoch }) => `${id}-${epoch}`));
      return batch.map(({ outcome: { id, epoch } }) => !fenced.has(`${id}-${epoch}`));
    },
  });

  async function settleBatch(batch: readonly Stored[]): Promise<Settled> {
    const outcomes = batch.map(({ outcome }) => outcome);
    const reserved = eagerStarts.reserve(batch.map(({ stage }) => stage));
    if (reserved === null) return await work.settle(outcomes);
    let started: readonly ClaimedJob[] = [];
    try {
      const settled = await work.settle(outcomes, reserved);
      ({ started } = settled);
      return settled;
    } finally {
      eagerStarts.start(reserved, started);
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

  async function store(item: Stored): Promise<"settled" | "fenced"> {
    let { outcome } = item;
    // Its lease is kept meanwhile where it can be: a database that restarts, or a connection that hangs, costs no work.
    for (const until = Date.now() + STORED_WITHIN_LEASES * leaseMs; ;) {
      try {
        return (await batches.add({ ...item, outcome })) ? "settled" : "fenced";
      } catch (error) {
        if (isItemError(error) && outcome === item.outcome) {
          outcome = toUnstorable(outcome, error, random);
          continue;
        }
        if (Date.now() > until) throw error;
        report(error);
        // Also at shutdown: what was done is worth a second more than doing it again.
        await sleep(RETRY_MS, NEVER);
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
