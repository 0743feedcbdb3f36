import { type Log, type Outcome, RetryableError, type WorkStore } from "@clipmill/domain";
import type { Delivery } from "./delivery.ts";
import { createGroupCommit, isDataError } from "./group-commit.ts";
import { sleep } from "./sleep.ts";
import { createErrorLog } from "./throttled-log.ts";
import { toOutcome } from "./to-outcome.ts";

/** Stores outcomes in batches, and passes on the hints of what follows. */
export interface Settlements {
  /**
   * `fenced`: the job was no longer the caller's, and nothing was written. Throws when the database stayed away for
   * several leases.
   */
  settle(outcome: Outcome): Promise<"settled" | "fenced">;
}

const RETRY_MS = 200;
const STORED_WITHIN_LEASES = 4;
const NEVER = new AbortController().signal;

export function createSettlements(options: {
  work: Pick<WorkStore, "settle">;
  delivery: Pick<Delivery, "push">;
  leaseMs: number;
  batchMax: number;
  random: () => number;
  log: Log;
}): Settlements {
  const { work, delivery, leaseMs, batchMax, random } = options;
  const report = createErrorLog(options.log, "result not stored yet");
  const batches = createGroupCommit<Outcome, boolean>({
    maxItems: batchMax,
    async flush(outcomes) {
      const settled = await work.settle(outcomes);
      delivery.push(settled.handedOff);
      const fenced = new Set(settled.fenced.map(({ id, epoch }) => `${id}-${epoch}`));
      return outcomes.map(({ id, epoch }) => !fenced.has(`${id}-${epoch}`));
    },
  });

  return {
    async settle(outcome) {
      let stored = outcome;
      // Its lease is kept meanwhile where it can be: a database that restarts, or a connection that hangs, costs no work.
      for (const until = Date.now() + STORED_WITHIN_LEASES * leaseMs; ;) {
        try {
          return (await batches.add(stored)) ? "settled" : "fenced";
        } catch (error) {
          if (isDataError(error) && stored.kind === "done") {
            stored = toUnstorable(stored, error, random);
            continue;
          }
          if (Date.now() > until) throw error;
          report(error);
          // Also at shutdown: what was done is worth a second more than doing it again.
          await sleep(RETRY_MS, NEVER);
        }
      }
    },
  };
}

/** Postgres will never take this result (a NUL in a text, say); the job must still end. */
function toUnstorable({ id, epoch }: Outcome, cause: unknown, random: () => number): Outcome {
  const error = new RetryableError("bad_response", "the result cannot be stored", { cause });
  return toOutcome(error, { id, epoch, attempts: 0 }, { maxAttempts: 1, random });
}
