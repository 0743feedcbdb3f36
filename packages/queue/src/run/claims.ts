import type { ClaimedJob, JobRef, WorkStore } from "@clipmill/domain";
import { createGroupCommit } from "../group-commit.ts";

/** Claims jobs in batches; null where the hint is stale. */
export interface Claims {
  claim(ref: JobRef): Promise<ClaimedJob | null>;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

export function createClaims(options: {
  work: Pick<WorkStore, "claim">;
  workerId: string;
  batchMax: number;
}): Claims {
  const { work, workerId, batchMax } = options;
  const batches = createGroupCommit<JobRef, ClaimedJob | null>({
    maxItems: batchMax,
    async flush(refs) {
      const claimed = new Map((await work.claim(refs, workerId)).map((job) => [toKey(job), job]));
      // One hint a job: a stale hint, or the same one delivered twice, may stand in one batch with the right one.
      return refs.map((ref) => {
        const job = claimed.get(toKey(ref)) ?? null;
        claimed.delete(toKey(ref));
        return job;
      });
    },
  });
  return { claim: batches.add, idle: batches.idle };
}

function toKey({ id, epoch }: JobRef): string {
  return `${id}-${epoch}`;
}
