import type { PlannedStep } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { WORKER_ALIVE } from "../../worker-registry.ts";
import { toMapKey } from "./advancing-request.ts";

/** A stage job that existed before this transaction needed it. */
export interface ExistingJob {
  id: number;
  stage: string;
  key: string;
  state: string;
  input: unknown;
  output: unknown;
  errorCode: string | null;
  errorMessage: string | null;
  /** How often it ran again because its output could not be read. */
  unreadableRuns: number;
  lane: number;
  tenant: string;
  startBy: string | null;
  /** How long ago it ended; null while it is open. */
  endedMsAgo: number | null;
  /** Engines that live workers have; null if no worker is alive, or the job is open. */
  liveEngines: string[] | null;
}

/** Locks rows in id order, as every writer does. */
export async function lockExisting(
  tx: Queryable,
  steps: readonly PlannedStep[],
): Promise<Map<string, ExistingJob>> {
  if (steps.length === 0) return new Map();
  const { rows } = await tx.query<ExistingJob>({
    name: "lock_existing_stage_jobs",
    // The subquery for the engines depends on no row, so it runs once, and only if an ended job is found. Jobs are found
    // by key before they are sorted: a join in id order may read all jobs by id while the table looks small.
    text: `select j.id, j.stage, j.key, j.state, j.input, j.output, j.lane, j.tenant, j.start_by::text as "startBy",
        j.error_code as "errorCode", j.error_message as "errorMessage", j.unreadable_runs as "unreadableRuns",
        (extract(epoch from now() - j.finished_at) * 1000)::float8 as "endedMsAgo",
        case when j.finished_at is not null then (
          select array_agg(distinct engine) from worker_process w, unnest(w.engines) as engine
          where w.seen_at > now() - interval '${WORKER_ALIVE}') end as "liveEngines"
      from stage_job j
      where j.id = any (array(
        select found.id from unnest($1::text[], $2::text[]) as wanted (stage, key) cross join lateral (
          select id from stage_job where stage = wanted.stage and key = wanted.key offset 0) found))
      order by j.id
      for update of j`,
    values: [steps.map((step) => step.stage), steps.map((step) => step.key)],
  });
  return new Map(rows.map((row) => [toMapKey(row), row]));
}
