import type pg from "pg";
import { expect } from "vitest";

export interface Job {
  id: number;
  queue: string;
  key: string;
  state: string;
  epoch: number;
  lane: number;
  attempts: number;
  crashes: number;
  output: unknown;
  isInFlight: boolean;
  isPlaced: boolean;
}

interface Request {
  id: string;
  key: string | null;
  state: string;
  /** States of the jobs that it rests on. */
  jobStates: string[];
}

/** Everything that the invariants are about, as it stands between two transactions. */
export interface Snapshot {
  jobs: Job[];
  byId: ReadonlyMap<number, Job>;
  requests: Request[];
}

export async function takeSnapshot(pool: pg.Pool): Promise<Snapshot> {
  const { rows: jobs } = await pool.query<Job>({
    name: "snapshot_jobs",
    text: `select id, queue, key, state, epoch, lane, attempts, crashes, output,
      state in ('queued', 'running') as "isInFlight", coalesce(run_at, held_until) is not null as "isPlaced"
      from stage_job order by id`,
  });
  const { rows: requests } = await pool.query<Request>({
    name: "snapshot_requests",
    text: `select r.id, r.idempotency_key as key, r.state,
      array(select j.state from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = r.id) as "jobStates"
      from request r order by r.id`,
  });
  return { jobs, byId: new Map(jobs.map((job) => [job.id, job])), requests };
}

const OPEN: ReadonlySet<string> = new Set(["ready", "queued", "running", "waiting"]);

/** I1, I2 and I4 at one moment. */
export function checkSnapshot({ jobs, requests }: Snapshot): void {
  const keys = requests.flatMap(({ key }) => key ?? []);
  expect(new Set(keys).size, "I1: one request a key").toBe(keys.length);
  for (const { state, isPlaced } of jobs) {
    expect(isPlaced, "I4: what is open has a time at which it moves on").toBe(OPEN.has(state));
  }
  for (const { id, state, jobStates } of requests) {
    const isOpen = jobStates.some((job) => OPEN.has(job));
    if (state === "open") expect(isOpen, `I2: ${id} waits for work that is over`).toBe(true);
    // A failure of the second stage is a warning only.
    if (state === "done") expect(jobStates, `I2: ${id} is done`).toHaveLength(3);
  }
}

/** I2, I3 and I5 from one moment to the next. */
export function checkStep(before: Snapshot, now: Snapshot): void {
  for (const old of before.jobs) {
    const job = now.byId.get(old.id);
    expect(job, "a job vanished").toBeDefined();
    expect(job?.epoch, "I5: an epoch fell").toBeGreaterThanOrEqual(old.epoch);
    if (old.state === "done") {
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
