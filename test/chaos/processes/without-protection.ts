import { setTimeout as sleep } from "node:timers/promises";
import { type Database, createWorkStore, type WorkStoreOptions } from "@clipmill/db";
import type { Outcome, WorkStore } from "@clipmill/domain";
import type { Hints } from "@clipmill/queue";
import { type Control, LEASE_MS } from "./arguments.ts";
import {
  withForcedAnswers,
  withLateAnswers,
  withLateChildren,
  withoutReplan,
} from "./without-one-transaction.ts";

interface Parts {
  work: WorkStore;
  hints: Hints;
}

/** The parts with one protection taken out: a negative control, put in from here and unknown to the product. */
export function withoutProtection(
  control: Control | null,
  parts: Parts,
  database: Database,
  options: WorkStoreOptions,
): Parts {
  switch (control) {
    case "no-fence":
      return { ...parts, work: withoutFence(parts.work, database) };
    case "settle-after-commit":
      return { ...parts, work: withLateSettle(parts.work, database, options) };
    case "fixed-job-id":
      return { ...parts, hints: withFixedJobIds(parts.hints) };
    case "no-replan":
      return { ...parts, work: withoutReplan(parts.work) };
    case "submit-after-commit":
      return { ...parts, work: withLateChildren(parts.work) };
    case "resolve-after-commit":
      return { ...parts, work: withLateAnswers(parts.work) };
    case "resolve-any-epoch":
      return { ...parts, work: withForcedAnswers(parts.work, database) };
    // The harness starts none; the worker program takes another size.
    case "no-reconciler":
    case "no-window":
    case null:
      return parts;
  }
}

/** Writes a result whoever holds the job by now: what the fence refuses is written under the holder's epoch. */
function withoutFence(work: WorkStore, { pool }: Database): WorkStore {
  return {
    ...work,
    async settle(outcomes, eagerStart) {
      const settled = await work.settle(outcomes, eagerStart);
      const refused = new Set(settled.fenced.map(({ id }) => id));
      const late = outcomes.filter(({ id, kind }) => kind === "done" && refused.has(id));
      if (late.length === 0) return settled;
      const { rows } = await pool.query<{ id: number; epoch: number }>(
        `update stage_job set state = 'running', run_at = null, finished_at = null,
           held_until = now() + make_interval(secs => $2::float8 / 1000)
         where id = any ($1) returning id, epoch`,
        [late.map(({ id }) => id), LEASE_MS],
      );
      const epochs = new Map(rows.map(({ id, epoch }) => [id, epoch]));
      const forced = late.map((outcome): Outcome => ({
        ...outcome,
        epoch: epochs.get(outcome.id) ?? outcome.epoch,
      }));
      const { enqueued } = await work.settle(forced);
      return { ...settled, enqueued: [...settled.enqueued, ...enqueued] };
    },
  };
}

/** How late the second transaction comes; a process that dies in between leaves the first alone. */
const LATE_MS = 250;

/** Stores results in one transaction and plans what follows in another. */
function withLateSettle(work: WorkStore, { pool }: Database, options: WorkStoreOptions): WorkStore {
  // Planning nothing leaves the requests as they are.
  const resultsOnly = createWorkStore({ pool }, { ...options, pipelines: { plan: () => null } });
  return {
    ...work,
    async settle(outcomes, eagerStart) {
      const { fenced } = await resultsOnly.settle(outcomes.map(withoutEffects));
      const lost = new Set(fenced.map(({ id }) => id));
      const ended = outcomes.filter(({ id, kind }) => isEnd(kind) && !lost.has(id));
      await sleep(LATE_MS);
      // The product plans when it finishes a job, so these are finished once more, with the same result.
      await pool.query(
        `update stage_job set state = 'running', held_until = now() + make_interval(secs => $2::float8 / 1000),
           finished_at = null
         where id = any ($1)`,
        [ended.map(({ id }) => id), LEASE_MS],
      );
      return { ...(await work.settle(ended, eagerStart)), fenced };
    },
  };
}

/** Nothing that its pipelines would have to plan. */
function withoutEffects(outcome: Outcome): Outcome {
  return "records" in outcome ? { ...outcome, submit: [], resolve: [] } : outcome;
}

function isEnd(kind: Outcome["kind"]): boolean {
  return kind === "done" || kind === "skipped" || kind === "failed";
}

function withFixedJobIds(hints: Hints): Hints {
  return {
    ...hints,
    async push(queue, jobs) {
      const target = hints.queues.find(({ name }) => name === queue);
      await target?.addBulk(
        jobs.map(({ id, epoch, stage }) => ({
          name: stage,
          data: { id, epoch },
          opts: { jobId: `${stage}-${id}` },
        })),
      );
    },
  };
}
