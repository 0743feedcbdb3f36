import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "@clipmill/db";
import type { ChildSubmission, JobRef, Outcome, Resolution, WorkStore } from "@clipmill/domain";

/** How late the second transaction comes; a process that dies in between leaves the first alone. */
const LATE_MS = 1_500;
/** There are fewer of these. */
const CHILDREN_LATE_MS = 8_000;
const AGAIN_AFTER_MS = 200;
const TRIES = 20;

/** Nobody looks for open requests without an open job. */
export function withoutReplan(work: WorkStore): WorkStore {
  return { ...work, replanStranded: () => Promise.resolve({ replanned: [], left: [] }) };
}

/** Accepts what a stage submits when its result is stored, and without keys. */
export function withLateChildren(work: WorkStore): WorkStore {
  return {
    ...work,
    async settle(outcomes, eagerStart) {
      const stripped = outcomes.map((o) => ("records" in o ? { ...o, submit: [] } : o));
      const settled = await work.settle(stripped, eagerStart);
      const children = toStored(outcomes, settled.fenced).flatMap(({ id, submit = [] }) =>
        submit.map((child) => toSubmission(id, child)),
      );
      if (children.length > 0) void later(CHILDREN_LATE_MS, () => work.accept(children));
      return settled;
    },
  };
}

/** Keeps what a stage resolves in memory until its result is stored. */
export function withLateAnswers(work: WorkStore): WorkStore {
  return {
    ...work,
    async settle(outcomes, eagerStart) {
      const stripped = outcomes.map((o) => ("records" in o ? { ...o, resolve: [] } : o));
      const settled = await work.settle(stripped, eagerStart);
      const resolutions = toResolutions(outcomes, settled.fenced);
      if (resolutions.length > 0) void later(LATE_MS, () => work.resolve(resolutions));
      return settled;
    },
  };
}

/** Ends the job that once waited for a token, whatever it does by now and whichever answer it has. */
export function withForcedAnswers(work: WorkStore, { pool }: Database): WorkStore {
  return {
    ...work,
    async settle(outcomes, eagerStart) {
      const settled = await work.settle(outcomes, eagerStart);
      const resolutions = toResolutions(outcomes, settled.fenced);
      if (resolutions.length === 0) return settled;
      await pool.query(
        `with again as (
           update stage_job j set state = 'waiting', held_until = now() + interval '1 min', run_at = null, finished_at = null
           from (select distinct token, stage_job_id from chaos_wait where token = any ($1)) w
           where j.id = w.stage_job_id and j.stage = 'ask' and j.state in ('ready', 'queued', 'running', 'done')
           returning w.token, j.id, j.epoch, j.held_until)
         insert into stage_wait (token, stage_job_id, epoch, expires_at) select * from again
         on conflict (token) do update set epoch = excluded.epoch, expires_at = excluded.expires_at`,
        [resolutions.map(({ token }) => token)],
      );
      await work.resolve(resolutions);
      return settled;
    },
  };
}

type Effective = Extract<Outcome, { kind: "done" | "waiting" }> & JobRef;

function toStored(outcomes: readonly Outcome[], fenced: readonly JobRef[]): Effective[] {
  const lost = new Set(fenced.map(({ id }) => id));
  return outcomes.filter((o): o is Effective => "records" in o && !lost.has(o.id));
}

function toResolutions(outcomes: readonly Outcome[], fenced: readonly JobRef[]): Resolution[] {
  return toStored(outcomes, fenced).flatMap(({ resolve = [] }) => resolve);
}

function toSubmission(jobId: number, { endsWithParent = false, ...child }: ChildSubmission) {
  const parent = { jobId, endsWithParent };
  const inherited = { tenant: "local", lane: "standard" as const, deadline: null };
  return { ...inherited, ...child, idempotencyKey: null, parent };
}

/** Tries it for as long as this process lives, or some seconds. */
async function later(ms: number, act: () => Promise<unknown>): Promise<void> {
  await sleep(ms);
  for (let tries = 1; tries <= TRIES; tries++) {
    try {
      await act();
      return;
    } catch {
      await sleep(AGAIN_AFTER_MS);
    }
  }
}
