import type { JobRef, WorkStore } from "@clipmill/domain";
import fc from "fast-check";
import type pg from "pg";
import {
  checkSnapshot,
  checkStep,
  type Job,
  type Snapshot,
  takeSnapshot,
} from "../work-snapshot.ts";

/** What the callers, dispatchers and workers know. The database must agree with all of them. */
export interface Knowledge {
  /** Every hint that was ever pushed. Most are stale, as after a flush or a pause. */
  hints: JobRef[];
  /** Every token that a job ever tried to wait for. */
  tokens: string[];
}

/** The database, and its snapshot after the last command. */
export interface Real {
  work: WorkStore;
  pool: pg.Pool;
  last: Snapshot;
}

export type Command = fc.AsyncCommand<Knowledge, Real>;

interface Action extends Pick<Real, "work" | "pool"> {
  knowledge: Knowledge;
  before: Snapshot;
}

/**
 * One random command. `act` runs it and checks its answer against the snapshot before. The function that it returns
 * checks the snapshot after it, beyond the invariants, which are always checked.
 */
export function toCommand(
  name: string,
  act: (action: Action) => Promise<void | ((now: Snapshot) => void)>,
): Command {
  return {
    check: () => true,
    toString: () => name,
    async run(knowledge, real) {
      const { work, pool, last } = real;
      const check = await act({ knowledge, before: last, work, pool });
      const now = await takeSnapshot(pool);
      checkSnapshot(now);
      checkStep(last, now);
      check?.(now);
      real.last = now;
    },
  };
}

/** Counts from the latest: otherwise old items would be chosen too often. */
export function at<T>(items: readonly T[], index: number): T[] {
  const item = items.at(-1 - (index % Math.max(1, items.length)));
  return item === undefined ? [] : [item];
}

export const holds = (job: Job | undefined, { epoch }: JobRef, state: string) =>
  job?.epoch === epoch && job.state === state;

export function toRef({ id, epoch }: JobRef): JobRef {
  return { id, epoch };
}

export const index = fc.nat({ max: 7 });
export const queue = fc.constantFrom("io" as const, "gpu" as const, "cpu" as const, "llm" as const);
