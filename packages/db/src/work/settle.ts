import type { JobRef, Outcome, Planner } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { notify } from "../notify.ts";
import { saveRecords } from "../save-records.ts";
import { advance, toStageState } from "./advance.ts";
import type { AdvancingRequest } from "./advancing-request.ts";
import type { RequestOptions } from "./request-options.ts";

/** What the planning of next steps needs. */
export interface Planning {
  plan: Planner;
  options: RequestOptions;
}

/**
 * Finishes jobs in the caller's transaction: results, costs, the jobs' states, and the next steps of every
 * request that rests on them. An outcome whose epoch has passed writes nothing and is returned as fenced.
 */
export async function settleOutcomes(
  tx: Queryable,
  { plan, options }: Planning,
  outcomes: readonly Outcome[],
): Promise<{ fenced: JobRef[] }> {
  const held = await lockHeld(tx, outcomes);
  const own = outcomes.filter(({ id }) => held.has(id));
  const fenced = outcomes.filter(({ id }) => !held.has(id)).map(({ id, epoch }) => ({ id, epoch }));
  if (own.length === 0) return { fenced };
  await saveRecords(
    tx,
    own.flatMap((outcome) => (outcome.kind === "done" ? outcome.records : [])),
  );
  await settleCalls(tx, own);
  await endJobs(tx, own.filter(isEnd));
  await rescheduleJobs(
    tx,
    own.filter((outcome) => !isEnd(outcome)),
  );
  await advanceAttached(
    tx,
    { plan, options },
    own.filter(isEnd).map(({ id }) => id),
  );
  return { fenced };
}

/** The fence: of these jobs, the ones that are still this holder's. Locked in id order. */
async function lockHeld(tx: Queryable, refs: readonly JobRef[]): Promise<Set<number>> {
  const { rows } = await tx.query<{ id: number }>({
    name: "lock_held_stage_jobs",
    text: `select j.id from stage_job j
      join unnest($1::bigint[], $2::integer[]) as ref (id, epoch) on j.id = ref.id
      where j.epoch = ref.epoch and j.state = 'running'
      order by j.id
      for update of j`,
    values: [refs.map((r) => r.id), refs.map((r) => r.epoch)],
  });
  return new Set(rows.map((row) => row.id));
}

type End = Extract<Outcome, { kind: "done" | "skipped" | "failed" }>;

function isEnd(outcome: Outcome): outcome is End {
  return outcome.kind === "done" || outcome.kind === "skipped" || outcome.kind === "failed";
}

async function endJobs(tx: Queryable, ends: readonly End[]): Promise<void> {
  if (ends.length === 0) return;
  const failure = ends.map((end) => (end.kind === "done" ? null : end));
  await tx.query({
    name: "end_stage_jobs",
    text: `update stage_job j set state = e.state, output = e.output::jsonb, deadline = null, finished_at = now(),
        error_code = e.code, error_message = e.message, error_upstream = e.upstream,
        attempts = j.attempts + (e.state = 'failed')::int
      from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        as e (id, state, output, code, message, upstream)
      where j.id = e.id`,
    values: [
      ends.map((end) => end.id),
      ends.map((end) => end.kind),
      ends.map((end) => (end.kind === "done" ? JSON.stringify(end.output) : null)),
      failure.map((end) => end?.code ?? null),
      failure.map((end) => end?.message ?? null),
      failure.map((end) => end?.upstream ?? null),
    ],
  });
}

/** Retries wait in Postgres; what was given back is ready at once. */
async function rescheduleJobs(tx: Queryable, outcomes: readonly Outcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  const retry = outcomes.map((outcome) => (outcome.kind === "retry" ? outcome : null));
  const { rows } = await tx.query<{ queue: string }>({
    name: "reschedule_stage_jobs",
    text: `update stage_job j set state = 'ready', deadline = null, worker_id = null, started_at = null,
        run_at = now() + make_interval(secs => s.delay_ms / 1000.0), attempts = j.attempts + s.counts::int,
        error_code = coalesce(s.code, j.error_code), error_message = coalesce(s.message, j.error_message),
        error_upstream = coalesce(s.upstream, j.error_upstream)
      from unnest($1::bigint[], $2::float8[], $3::boolean[], $4::text[], $5::text[], $6::text[])
        as s (id, delay_ms, counts, code, message, upstream)
      where j.id = s.id
      returning j.queue`,
    values: [
      outcomes.map((outcome) => outcome.id),
      retry.map((r) => r?.delayMs ?? 0),
      retry.map((r) => r?.counts ?? false),
      retry.map((r) => r?.code ?? null),
      retry.map((r) => r?.message ?? null),
      retry.map((r) => r?.upstream ?? null),
    ],
  });
  await notify(tx, "clipmill_ready", [...new Set(rows.map((row) => row.queue))]);
}

async function settleCalls(tx: Queryable, outcomes: readonly Outcome[]): Promise<void> {
  const calls = outcomes.flatMap((outcome) => (outcome.kind === "done" ? outcome.calls : []));
  if (calls.length === 0) return;
  await tx.query({
    name: "settle_calls",
    text: `update cost_entry c set state = 'settled', usd = s.usd
      from unnest($1::bigint[], $2::numeric[]) as s (id, usd)
      where c.id = s.id`,
    values: [calls.map((call) => call.callId), calls.map((call) => call.usd)],
  });
}

/** Plans the next steps of the open requests that rest on jobs which just ended. */
export async function advanceAttached(
  tx: Queryable,
  { plan, options }: Planning,
  endedIds: readonly number[],
): Promise<void> {
  if (endedIds.length === 0) return;
  // Locked in id order, and before their states are read: a step with several inputs is planned exactly once,
  // by the transaction that stores its last input.
  const { rows: requests } = await tx.query<{
    id: string;
    tenant: string;
    link: string;
    postId: string | null;
    optionsId: number;
    lane: number;
  }>({
    name: "lock_attached_requests",
    text: `select r.id, r.tenant, r.link, r.post_id as "postId", r.options_id as "optionsId", r.lane
      from request r
      where r.state = 'open'
        and r.id in (select l.request_id from request_stage_job l where l.stage_job_id = any ($1::bigint[]))
      order by r.id
      for update of r`,
    values: [endedIds],
  });
  if (requests.length === 0) return;
  const { rows: jobs } = await tx.query<{
    requestId: string;
    stage: string;
    state: string;
    output: unknown;
    errorCode: string | null;
    errorMessage: string | null;
  }>({
    name: "load_request_stages",
    text: `select l.request_id as "requestId", j.stage, j.state, j.output, j.error_code as "errorCode",
        j.error_message as "errorMessage"
      from request_stage_job l join stage_job j on j.id = l.stage_job_id
      where l.request_id = any ($1::text[])`,
    values: [requests.map((r) => r.id)],
  });
  const optionsById = await options.load(
    tx,
    requests.map((r) => r.optionsId),
  );
  const advancing = new Map<string, AdvancingRequest>();
  for (const row of requests)
    advancing.set(row.id, { ...row, ...optionsById(row.optionsId), states: {} });
  for (const job of jobs) {
    const request = advancing.get(job.requestId);
    if (request !== undefined) request.states[job.stage] = toStageState(job);
  }
  await advance(tx, plan, [...advancing.values()]);
}
