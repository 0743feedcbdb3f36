import { type ErrorCode, isErrorCode, type PlannedStep } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { toMapKey, type Wanted } from "./advancing-request.ts";

/** A stage job that stood there before this transaction wanted it. */
export interface ExistingJob {
  id: number;
  stage: string;
  key: string;
  queue: string;
  state: string;
  output: unknown;
  errorCode: string | null;
  errorMessage: string | null;
  lane: number;
  startBy: string | null;
  /** Since it ended; null while it is open. */
  endedMsAgo: number | null;
  /** A better engine of its recipe is available than the one that ran. */
  outdated: boolean;
}

/**
 * "Gone" and "private" are remembered for this long, so that a dead post that is asked for again costs nothing;
 * after it the post is looked up anew, because creators do change their minds.
 */
const ABSENCE_REMEMBERED_MS = 10 * 60_000;

/** Workers that reported in this span count as alive. */
const WORKER_ALIVE = "15 seconds";

/** Locks rows in id order, as every writer does. */
export async function lockExisting(
  tx: Queryable,
  steps: readonly PlannedStep[],
): Promise<Map<string, ExistingJob>> {
  if (steps.length === 0) return new Map();
  const { rows } = await tx.query<ExistingJob>({
    name: "lock_existing_stage_jobs",
    text: `select j.id, j.stage, j.key, j.queue, j.state, j.output, j.lane, j.start_by::text as "startBy",
        j.error_code as "errorCode", j.error_message as "errorMessage",
        (extract(epoch from now() - j.finished_at) * 1000)::float8 as "endedMsAgo",
        j.state = 'done' and j.output ->> 'engine' is not null and exists (
          select 1
          from jsonb_array_elements_text(case jsonb_typeof(j.input -> 'engines') when 'array' then j.input -> 'engines' else '[]' end)
            with ordinality as better (engine, rank)
          where better.rank < (
              select ran.rank from jsonb_array_elements_text(j.input -> 'engines') with ordinality as ran (engine, rank)
              where ran.engine = j.output ->> 'engine')
            and exists (
              select 1 from worker_process w
              where better.engine = any (w.engines) and w.seen_at > now() - interval '${WORKER_ALIVE}')
        ) as outdated
      from stage_job j
      join unnest($1::text[], $2::text[]) as wanted (stage, key) on j.stage = any (array[wanted.stage]) and j.key = any (array[wanted.key])
      order by j.id
      for update of j`,
    values: [steps.map((step) => step.stage), steps.map((step) => step.key)],
  });
  return new Map(rows.map((row) => [toMapKey(row), row]));
}

/**
 * Makes ended jobs run again where their end does not bind: failures, absences that were remembered long enough,
 * results of a fallback engine. An open job moves up to a better lane. Returns the map keys of what now runs again.
 */
export async function reopen(
  tx: Queryable,
  wanted: readonly Wanted[],
  existing: ReadonlyMap<string, ExistingJob>,
): Promise<Set<string>> {
  const again: {
    id: number;
    lane: number;
    tenant: string;
    input: string;
    startBy: string | null;
  }[] = [];
  const moved: { id: number; lane: number; tenant: string; startBy: string | null }[] = [];
  const keys = new Set<string>();
  for (const { request, step } of wanted) {
    const key = toMapKey(step);
    const job = existing.get(key);
    if (job === undefined) continue;
    if (mustRunAgain(job)) {
      again.push({
        id: job.id,
        lane: request.lane,
        tenant: request.tenant,
        input: JSON.stringify(step.input),
        startBy: request.deadline,
      });
      keys.add(key);
    } else if (job.endedMsAgo === null && (request.lane < job.lane || job.startBy !== null)) {
      moved.push({
        id: job.id,
        lane: request.lane,
        tenant: request.tenant,
        startBy: request.deadline,
      });
    }
  }
  if (again.length > 0) {
    await tx.query({
      name: "reopen_stage_jobs",
      text: `update stage_job j set state = 'ready', run_at = now(), attempts = 0, crashes = 0, solo_crashes = 0,
          lane = a.lane, tenant = a.tenant, input = a.input::jsonb, start_by = a.start_by, output = null, error_code = null,
          error_message = null, error_upstream = null, started_at = null, finished_at = null,
          dropped_at = null
        from unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::timestamptz[])
          as a (id, lane, tenant, input, start_by)
        where j.id = any (array[a.id])`,
      values: [
        again.map((a) => a.id),
        again.map((a) => a.lane),
        again.map((a) => a.tenant),
        again.map((a) => a.input),
        again.map((a) => a.startBy),
      ],
    });
  }
  if (moved.length > 0) {
    // A job in quarantine stays there: it is alone for the others' sake.
    await tx.query({
      name: "promote_stage_jobs",
      text: `update stage_job j set lane = least(j.lane, f.lane),
          tenant = case when f.lane < j.lane then f.tenant else j.tenant end,
          start_by = case when f.start_by is null then null else greatest(j.start_by, f.start_by) end
        from unnest($1::bigint[], $2::smallint[], $3::text[], $4::timestamptz[]) as f (id, lane, tenant, start_by)
        where j.id = any (array[f.id])`,
      values: [
        moved.map((f) => f.id),
        moved.map((f) => f.lane),
        moved.map((f) => f.tenant),
        moved.map((f) => f.startBy),
      ],
    });
  }
  return keys;
}

function mustRunAgain(job: ExistingJob): boolean {
  if (job.state === "failed" || job.state === "cancelled" || job.outdated) return true;
  switch (findAbsence(job)) {
    case "gone":
    case "private":
    case "region_locked":
      return (job.endedMsAgo ?? 0) > ABSENCE_REMEMBERED_MS;
    // An engine may have been installed since.
    case "no_ocr_engine":
      return true;
    default:
      return false;
  }
}

/** Why there is no result, or only a part of one (`missing` in the output); null where nothing is missing. */
function findAbsence({ state, errorCode, output }: ExistingJob): ErrorCode | null {
  const missing = typeof output === "object" && output !== null && Reflect.get(output, "missing");
  const code = state === "skipped" ? errorCode : missing;
  return isErrorCode(code) ? code : null;
}
