import type { JobRef } from "@clipmill/domain";
import type pg from "pg";
import { expect } from "vitest";

export interface Job {
  id: number;
  stage: string;
  queue: string;
  key: string;
  state: string;
  epoch: number;
  lane: number;
  attempts: number;
  crashes: number;
  output: unknown;
  expiredToken: string | null;
  isInFlight: boolean;
  isPlaced: boolean;
  /** Whether it has or had a worker. */
  hasWorker: boolean;
}

interface Request {
  id: string;
  kind: string;
  key: string | null;
  state: string;
  submittedBy: number | null;
  /** What a submitted request is for. */
  target: string | null;
  endsWithParent: boolean;
  /** States of the jobs that it is linked to. */
  jobStates: string[];
  /** A job of it has ended, and a page that is still to come plans it. */
  isToAdvance: boolean;
  /** States of the requests that are linked to the job which submitted it. */
  parentStates: string[];
}

/** All rows that the invariants are about, between two transactions. */
export interface Snapshot {
  jobs: Job[];
  byId: ReadonlyMap<number, Job>;
  requests: Request[];
  /** The job that waits for each token now. Void waits are left out. */
  waits: ReadonlyMap<string, JobRef>;
}

export async function takeSnapshot(pool: pg.Pool): Promise<Snapshot> {
  const found = pool.query<Job>({
    name: "snapshot_jobs",
    text: `select id, stage, queue, key, state, epoch, lane, attempts, crashes, output, expired_token as "expiredToken",
      state in ('queued', 'running') as "isInFlight", coalesce(run_at, held_until) is not null as "isPlaced",
      worker_id is not null as "hasWorker"
      from stage_job order by id`,
  });
  const asked = pool.query<Request>({
    name: "snapshot_requests",
    text: `select r.id, r.kind, r.idempotency_key as key, r.state, r.submitted_by as "submittedBy", r.input ->> 'to' as target,
      r.ends_with_parent as "endsWithParent",
      exists (select from request_stage_job l join requests_to_advance t on t.stage_job_id = l.stage_job_id
        where l.request_id = r.id and r.id > t.after_id) as "isToAdvance",
      array(select j.state from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = r.id order by j.id) as "jobStates",
      array(select p.state from request_stage_job l join request p on p.id = l.request_id
        where l.stage_job_id = r.submitted_by order by p.id) as "parentStates"
      from request r order by r.id`,
  });
  const waited = pool.query<JobRef & { token: string }>({
    name: "snapshot_waits",
    text: "select token, stage_job_id as id, epoch from stage_wait order by token",
  });
  const [{ rows: jobs }, { rows: requests }, { rows: waits }] = await Promise.all([
    found,
    asked,
    waited,
  ]);
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const current = waits.filter(({ id, epoch }) => {
    const job = byId.get(id);
    return job?.state === "waiting" && job.epoch === epoch;
  });
  return {
    jobs,
    byId,
    requests,
    waits: new Map(current.map(({ token, id, epoch }) => [token, { id, epoch }])),
  };
}

const OPEN: ReadonlySet<string> = new Set(["ready", "queued", "running", "waiting"]);
/** How many jobs a done request has, by its kind. */
const STEPS: Readonly<Record<string, number>> = { post: 3, crawl: 2, delivery: 1 };

/** I1, I2 and I4 at one moment. */
export function checkSnapshot({ jobs, requests, waits }: Snapshot): void {
  const keys = requests.flatMap(({ key }) => key ?? []);
  expect(new Set(keys).size, "I1: one request a key").toBe(keys.length);
  const submitted = requests.flatMap(({ submittedBy, target }) =>
    submittedBy === null ? [] : `${submittedBy} ${target}`,
  );
  expect(submitted.length, "I1: one request for what a job submits").toBe(new Set(submitted).size);
  for (const { state, isPlaced } of jobs) {
    expect(isPlaced, "I4: what is open has a time at which it moves on").toBe(OPEN.has(state));
  }
  checkWaits(jobs, waits);
  for (const { id, kind, state, jobStates, ...parent } of requests) {
    const isOpen = parent.isToAdvance || jobStates.some((job) => OPEN.has(job));
    if (state === "open") expect(isOpen, `I2: ${id} waits for work that is over`).toBe(true);
    // A failure of the second stage is a warning only.
    if (state === "done") expect(jobStates, `I2: ${id} is done`).toHaveLength(STEPS[kind] ?? 0);
    if (state === "open" && parent.endsWithParent) {
      const isWanted = parent.parentStates.some((state) => state !== "cancelled");
      expect(isWanted, `${id} outlived its parents`).toBe(true);
    }
  }
}

/** Each waiting job has one wait in its epoch, and no worker or hint. */
function checkWaits(jobs: readonly Job[], waits: Snapshot["waits"]): void {
  const waiting = jobs.filter(({ state }) => state === "waiting");
  const awaited = [...waits.values()].map(({ id }) => id);
  expect(
    awaited.toSorted((a, b) => a - b),
    "I4: each waits for one token",
  ).toEqual(waiting.map(({ id }) => id));
  for (const { hasWorker, isInFlight } of waiting)
    expect({ hasWorker, isInFlight }, "who waits has neither worker nor hint").toEqual({
      hasWorker: false,
      isInFlight: false,
    });
}

/** I2, I3 and I5 from one moment to the next. */
export function checkStep(before: Snapshot, now: Snapshot): void {
  for (const old of before.jobs) {
    const job = now.byId.get(old.id);
    expect(job, "a job vanished").toBeDefined();
    expect(job?.epoch, "I5: an epoch fell").toBeGreaterThanOrEqual(old.epoch);
    if (old.state === "done" && !isStale(old.output)) {
      expect({ state: job?.state, output: job?.output }, "I3: a result changed").toEqual({
        state: "done",
        output: old.output,
      });
    }
  }
  const stateById = new Map(now.requests.map(({ id, state }) => [id, state]));
  for (const { id, state } of before.requests) {
    if (state !== "open") expect(stateById.get(id), "I2: an ended request changed").toBe(state);
  }
}

/** Toy stages run again for a later request if their result has this id, and if it has none. */
function isStale(output: unknown): boolean {
  if (typeof output !== "object" || output === null) return false;
  return !("id" in output) || output.id === "stale";
}
