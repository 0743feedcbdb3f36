import { type ClaimedJob, failpoint } from "@clipmill/domain";
import type { EagerStarts } from "./eager/eager-starts.ts";
import { type JobEnd, type JobParts, runJob } from "./run-job.ts";

/** The jobs of this process, each with the next steps that started eagerly after it. */
export interface Chains {
  readonly parts: JobParts;
  readonly eagerStarts: Pick<EagerStarts, "leave">;
  /** Jobs whose outcome is being stored. */
  readonly unstored: Set<Promise<void>>;
  /** Jobs whose slot is not free yet. */
  runningCount: number;
}

/** So many outcomes may wait for Postgres before slots wait, too: enough for the few slots of a GPU, whose time is dear. */
const UNSTORED_MAX = 8;

/**
 * Runs the job of a hint. Resolves when its stage has ended, so that its slot need not wait until the outcome is stored;
 * where more than 8 outcomes wait for Postgres, when its own is stored.
 */
export function runHinted(chains: Chains, job: ClaimedJob): Promise<JobEnd> {
  return run(chains, job, UNSTORED_MAX);
}

/** Never waits for its outcome: where outcomes pile up, hints wait, and so fewer chains start. */
async function runEager(chains: Chains, job: ClaimedJob): Promise<void> {
  try {
    failpoint("after-eager-start", job.stage);
    await run(chains, job, Number.POSITIVE_INFINITY);
  } finally {
    chains.eagerStarts.leave(job);
  }
}

async function run(chains: Chains, job: ClaimedJob, unstoredMax: number): Promise<JobEnd> {
  chains.runningCount++;
  try {
    const { end, stored } = await runJob(chains.parts, job);
    const followed = follow(chains, stored).finally(() => chains.unstored.delete(followed));
    chains.unstored.add(followed);
    if (chains.unstored.size > unstoredMax) await followed;
    return end;
  } finally {
    chains.runningCount--;
  }
}

async function follow(chains: Chains, stored: Promise<readonly ClaimedJob[]>): Promise<void> {
  for (const job of await stored) void runEager(chains, job);
}
