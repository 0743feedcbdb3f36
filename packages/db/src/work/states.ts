import { QUARANTINE_RANK } from "./lane.ts";

/**
 * The states of a stage job and all transitions. No other file writes `stage_job.state`; a test checks that.
 *
 *   planned ──▶ ready ──dispatch──▶ queued ──claim──▶ running ──settle──▶ done · skipped · failed
 *     │          ▲ ▲ ▲                │                │ │ │                 ▲        │
 *     │          │ │ └─ return, lost ─┘                │ │ └── wait ──▶ waiting        │
 *     │          │ └─── retry, release, dead worker ───┘ │                │ └ resolve ┘ (done or failed)
 *     │          └──────────── nobody resolved it in time ────────────────┘
 *     │                                                  │
 *     ├─▶ queued, running  (at once, with the result before it)            done · skipped · failed · cancelled
 *     │                                                                       │
 *     │   ready, queued ── waited for too long for what is not there ──▶ failed
 *     │   any open state ── nobody needs it ──▶ cancelled                     │ rerun, retried from the dead letter,
 *     │                                                                       ▼ file lost
 *                                                                           ready
 *
 * `ready` jobs have `run_at`. `queued`, `running` and `waiting` jobs have `held_until`: the end of the hint's time, of
 * the lease, or of the wait. After it a job goes back to `ready`. Each dispatch raises `epoch`, and every write by a
 * worker names its epoch.
 *
 * A transition is a set of columns of `stage_job j` with their SQL, for `update stage_job j set ${toSet(…)}`.
 */
export type Transition = Readonly<Record<string, string>>;

/** Also clears the column `deadline`, which workers of 0.1 write: `HELD_UNTIL` takes the later of the two. */
const held = (until: string): Transition => ({ held_until: until, deadline: "null" });
const NOT_HELD = held("null");

/** SQL of a moment so many milliseconds from now. */
export const inMs = (parameter: string) =>
  `now() + make_interval(secs => ${parameter}::float8 / 1000)`;

/** SQL: the end of a hint's time, lease or wait, whichever version wrote it. `greatest` ignores nulls. */
export const HELD_UNTIL = "greatest(j.held_until, j.deadline)";

/** SQL: crashes while the job ran alone, including those that workers of 0.1 counted. */
export const QUARANTINE_CRASHES = "j.quarantine_crashes + j.solo_crashes";

/** SQL: whether the job of a row of `stage_wait` still waits for it. The limit keeps Postgres from planning a join. */
export const isWaiting = (wait: string) => `coalesce((
  select j.state = 'waiting' and j.epoch = ${wait}.epoch from stage_job j where j.id = ${wait}.stage_job_id limit 1), false)`;

const NO_ERROR: Transition = { error_code: "null", error_message: "null", error_upstream: "null" };
const NOT_PUT_OFF: Transition = { put_off_since: "null" };
const NOT_RUN: Transition = { worker_id: "null", started_at: "null", finished_at: "null" };

/** ready → queued, in the next epoch. The dispatcher pushes a hint afterwards. */
export const dispatched = (until: string): Transition => ({
  state: "'queued'",
  epoch: "j.epoch + 1",
  run_at: "null",
  ...held(until),
});

/** queued → ready, in its old place: the hint was not delivered, or was lost. */
export const RETURNED: Transition = { state: "'ready'", run_at: "j.created_at", ...NOT_HELD };

/** queued → running. A job in quarantine has not started yet: see `STARTED_ALONE`. */
export const claimed = (workerId: string, until: string): Transition => ({
  state: "'running'",
  worker_id: workerId,
  started_at: `case when j.lane <> ${QUARANTINE_RANK} then now() end`,
  ...held(until),
});

/** Stays running, from now on with the process to itself: a crash counts against it. */
export const STARTED_ALONE: Transition = { started_at: "now()" };

/** Stays running, with a longer lease. */
export const extended = (until: string): Transition => held(until);

/** SQL expressions for the end of one job. */
interface Settling {
  state: string;
  output: string;
  code: string;
  message: string;
  upstream: string;
}

/** running or waiting → done, skipped or failed. */
export const ended = ({ state, output, code, message, upstream }: Settling): Transition => ({
  state,
  output,
  error_code: code,
  error_message: message,
  error_upstream: upstream,
  run_at: "null",
  finished_at: "now()",
  expired_token: "null",
  ...NOT_PUT_OFF,
  ...NOT_HELD,
});

/** ready or queued → failed, with the error of its last attempt if that was put off, else with this one. */
export const overdue = (code: string, message: string): Transition =>
  ended({
    state: "'failed'",
    output: "null",
    code: `case when j.put_off_since is null then ${code} else j.error_code end`,
    message: `case when j.put_off_since is null then ${message} else j.error_message end`,
    upstream: "case when j.put_off_since is not null then j.error_upstream end",
  });

/** running → ready: another attempt later, or given back untried. `putOff`: SQL, whether it uses up no attempt. */
export const retried = (
  runAt: string,
  why: Omit<Settling, "state" | "output"> & { putOff: string },
): Transition => ({
  state: "'ready'",
  output: "null",
  run_at: runAt,
  error_code: why.code,
  error_message: why.message,
  error_upstream: why.upstream,
  put_off_since: `case when ${why.putOff} then coalesce(j.put_off_since, now()) end`,
  ...NOT_RUN,
  ...NOT_HELD,
});

/** running → waiting, without a worker, a lease or a hint. */
export const waiting = (until: string): Transition => ({
  state: "'waiting'",
  output: "null",
  run_at: "null",
  worker_id: "null",
  expired_token: "null",
  ...NO_ERROR,
  ...NOT_PUT_OFF,
  ...held(until),
});

/** waiting → ready: nobody resolved its token in time. */
export const timedOut = (token: string): Transition => ({
  state: "'ready'",
  run_at: "now()",
  expired_token: token,
  ...NOT_RUN,
  ...NOT_HELD,
});

/** running → ready, alone from now on: its worker died, hung or was cut off. */
export const crashed = (wasAlone: string): Transition => ({
  state: "'ready'",
  run_at: "now()",
  lane: String(QUARANTINE_RANK),
  crashes: "j.crashes + 1",
  quarantine_crashes: `j.quarantine_crashes + ${wasAlone}::int`,
  ...NOT_RUN,
  ...NOT_HELD,
});

/** running → failed: it ended its worker too often while it ran alone. */
export const poisoned = (message: string): Transition => ({
  ...ended({
    state: "'failed'",
    output: "null",
    code: "'poison'",
    message,
    upstream: "null",
  }),
  worker_id: "null",
  lane: String(QUARANTINE_RANK),
  crashes: "j.crashes + 1",
  quarantine_crashes: "j.quarantine_crashes + 1",
});

/** Any open state → cancelled. The new epoch keeps a worker that runs it from storing anything. */
export const CANCELLED: Transition = {
  state: "'cancelled'",
  epoch: "j.epoch + 1",
  run_at: "null",
  finished_at: "now()",
  start_by: "null",
  ...NOT_PUT_OFF,
  ...NOT_HELD,
};

/** Any end → ready, as if it had never run: with all attempts, and without result and errors. */
export const RENEWED: Transition = {
  state: "'ready'",
  run_at: "now()",
  attempts: "0",
  crashes: "0",
  quarantine_crashes: "0",
  solo_crashes: "0",
  output: "null",
  expired_token: "null",
  dropped_at: "null",
  ...NOT_PUT_OFF,
  ...NO_ERROR,
  ...NOT_RUN,
  ...NOT_HELD,
};

/** Stays failed, but out of the dead letter. */
export const DROPPED: Transition = { dropped_at: "now()" };

/** The assignments of an update of `stage_job j`. */
export function toSet(...transitions: readonly Transition[]): string {
  return Object.entries(Object.assign({}, ...transitions) as Transition)
    .map(([column, sql]) => `${column} = ${sql}`)
    .join(", ");
}

/** For each row, the transition of the first condition that holds; null changes nothing. */
export function choose(
  ...cases: readonly (readonly [condition: string, Transition | null])[]
): Transition {
  const columns = new Set(cases.flatMap(([, transition]) => Object.keys(transition ?? {})));
  return Object.fromEntries(
    [...columns].map((column) => {
      const whens = cases.map(
        ([condition, transition]) =>
          `when ${condition} then ${transition?.[column] ?? `j.${column}`}`,
      );
      return [column, `case ${whens.join(" ")} else j.${column} end`];
    }),
  );
}

/**
 * The first state of a new row: `ready` for a dispatcher, `queued` with a hint to push, or `running` for the caller.
 */
export interface Beginnings {
  /** SQL expression that gives one of the three states. */
  state: string;
  queuedUntil: string;
  runningUntil: string;
  workerId: string;
}

/** Columns of a new row and their SQL, for `insert into stage_job (…) select …`. */
export function toBeginning({ state, queuedUntil, runningUntil, workerId }: Beginnings): {
  columns: string;
  values: string;
} {
  const by = (ready: string, queued: string, running: string) =>
    `case ${state} when 'ready' then ${ready} when 'queued' then ${queued} else ${running} end`;
  const row: Transition = {
    state,
    epoch: by("0", "1", "1"),
    run_at: by("now()", "null", "null"),
    held_until: by("null", queuedUntil, runningUntil),
    started_at: by("null", "null", "now()"),
    worker_id: by("null", "null", workerId),
  };
  return { columns: Object.keys(row).join(", "), values: Object.values(row).join(", ") };
}
