import type { ClaimedJob, JobRef, Log, WorkStore } from "@clipmill/domain";
import { createGroupCommit, isItemError } from "../group-commit.ts";
import { jitter, sleep } from "../sleep.ts";
import { createErrorLog } from "../throttled-log.ts";

/** Claims the jobs of hints, many in one statement. */
export interface Claims {
  /**
   * Null where the hint is stale. Also null, and the job is ready again, where Postgres stayed away for a whole lease or
   * this process stops.
   */
  claim(ref: JobRef): Promise<ClaimedJob | null>;
  /** Claims nothing more. */
  stop(): void;
  /** Resolves when no claim is under way. */
  idle(): Promise<void>;
}

type Work = Pick<WorkStore, "claim" | "return">;

const RETRY_MS = 500;
const NEVER = new AbortController().signal;

export function createClaims(options: {
  work: Work;
  workerId: string;
  leaseMs: number;
  batchMax: number;
  log: Log;
}): Claims {
  const { work, workerId, leaseMs, batchMax } = options;
  const report = createErrorLog(options.log, "job not claimed yet");
  const batches = createGroupCommit<JobRef, ClaimedJob | null>({
    maxItems: batchMax,
    flush: (refs) => claimBatch(work, workerId, refs),
  });
  // One for all, or hints that failed together would each be claimed alone.
  const retryMs = jitter(RETRY_MS);
  let isStopping = false;
  return {
    async claim(ref) {
      // Without retries a restart of the database would cost all hints of the window.
      for (const until = performance.now() + leaseMs; !isStopping && performance.now() < until;) {
        try {
          return await batches.add(ref);
        } catch (error) {
          report(error);
          // There is no such job, and there never will be.
          if (isItemError(error)) return null;
          await sleep(retryMs, NEVER);
        }
      }
      // If it stayed queued, nobody would take it before its hint's time is over.
      await work.return([ref]).catch(report);
      return null;
    },
    stop() {
      isStopping = true;
    },
    idle: batches.idle,
  };
}

/** In the order of `refs`; null for a stale hint. */
async function claimBatch(
  work: Work,
  workerId: string,
  refs: readonly JobRef[],
): Promise<(ClaimedJob | null)[]> {
  const claimed = new Map((await work.claim(refs, workerId)).map((job) => [toKey(job), job]));
  // Each job goes to one hint only: a batch may hold the same hint twice, delivered twice.
  return refs.map((ref) => {
    const job = claimed.get(toKey(ref)) ?? null;
    claimed.delete(toKey(ref));
    return job;
  });
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
