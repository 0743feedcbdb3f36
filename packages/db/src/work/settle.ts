import type { Outcome, Planner, Settled } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { notify } from "../notify.ts";
import { saveRecords } from "../artifacts/save-records.ts";
import { advance } from "./plan/advance.ts";
import type { DirectEnqueue } from "./plan/insert-jobs.ts";
import type { AdvancingRequest } from "./plan/advancing-request.ts";
import type { RequestOptions } from "./accept/request-options.ts";
import { toStageState } from "./plan/stage-state.ts";

/** What the planning of next steps needs. */
export interface Planning {
  plan: Planner;
  options: RequestOptions;
  directEnqueue: DirectEnqueue;
}

/**
 * Finishes jobs in the caller's transaction: results, costs, the jobs' states, and the next steps of every
 * request that rests on them. An outcome whose epoch has passed writes nothing and is returned as fenced.
 */
export async function settleOutcomes(
  tx: Queryable,
  planning: Planning,
  outcomes: readonly Outcome[],
): Promise<Settled> {
  const held = await applyOutcomes(tx, outcomes);
  const own = outcomes.filter(({ id }) => held.has(id));
  const fenced = outcomes.filter(({ id }) => !held.has(id)).map(({ id, epoch }) => ({ id, epoch }));
  await saveRecords(
    tx,
    own.flatMap((outcome) => (outcome.kind === "done" ? outcome.records : [])),
  );
  await settleCalls(tx, own);
  const ended = own.filter(({ kind }) => kind !== "retry" && kind !== "released");
  const next = await advanceAttached(
    tx,
    planning,
    ended.map(({ id }) => id),
  );
  return { fenced, enqueued: next.enqueued, started: next.started };
}

/**
 * The fence and the new state in one statement: of these jobs, those that are still this holder's end, wait for
 * another attempt, or are ready again. Visited, so locked, in id order, as every writer does. Returns the ids that were held.
 */
async function applyOutcomes(tx: Queryable, outcomes: readonly Outcome[]): Promise<Set<number>> {
  const failure = outcomes.map((outcome) => ("code" in outcome ? outcome : null));
  const retry = outcomes.map((outcome) => (outcome.kind === "retry" ? outcome : null));
  const delaysMs = outcomes.map((outcome) => ("delayMs" in outcome ? outcome.delayMs : 0) ?? 0);
  const { rows } = await tx.query<{ id: number; queue: string; state: string }>({
    name: "apply_outcomes",
    text: `update stage_job j set
        state = case when o.kind in ('retry', 'released') then 'ready' else o.kind end,
        output = o.result::jsonb, deadline = null,
        run_at = case when o.kind in ('retry', 'released') then now() + make_interval(secs => o.delay_ms / 1000) end,
        started_at = case when o.kind not in ('retry', 'released') then j.started_at end,
        finished_at = case when o.kind not in ('retry', 'released') then now() end,
        attempts = j.attempts + (o.counts or o.kind = 'failed')::int,
        error_code = o.code, error_message = o.message, error_upstream = o.upstream
      from (
        select * from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::float8[], $9::boolean[])
          as given (id, epoch, kind, result, code, message, upstream, delay_ms, counts)
        order by given.id) o
      where j.id = any (array[o.id]) and j.epoch = o.epoch and j.state = 'running'
      returning j.id, j.queue, j.state`,
    values: [
      outcomes.map(({ id }) => id),
      outcomes.map(({ epoch }) => epoch),
      outcomes.map(({ kind }) => kind),
      outcomes.map((outcome) => (outcome.kind === "done" ? JSON.stringify(outcome.output) : null)),
      failure.map((f) => f?.code ?? null),
      failure.map((f) => f?.message ?? null),
      failure.map((f) => f?.upstream ?? null),
      delaysMs,
      retry.map((r) => r?.counts ?? false),
    ],
  });
  const readyQueues = rows.filter((row) => row.state === "ready").map((row) => row.queue);
  await notify(tx, "clipmill_ready", [...new Set(readyQueues)]);
  return new Set(rows.map((row) => row.id));
}

async function settleCalls(tx: Queryable, outcomes: readonly Outcome[]): Promise<void> {
  const calls = outcomes.flatMap((outcome) => (outcome.kind === "done" ? outcome.calls : []));
  if (calls.length === 0) return;
  await tx.query({
    name: "settle_calls",
    text: `update cost_entry c set state = 'settled', usd = s.usd
      from unnest($1::bigint[], $2::numeric[]) as s (id, usd)
      where c.id = any (array[s.id])`,
    values: [calls.map((call) => call.callId), calls.map((call) => call.usd)],
  });
}

const NOTHING_NEXT = { enqueued: [], started: [] };

/** Plans the next steps of the open requests that rest on jobs which just ended. */
export async function advanceAttached(
  tx: Queryable,
  planning: Planning,
  endedIds: readonly number[],
): Promise<Pick<Settled, "enqueued" | "started">> {
  if (endedIds.length === 0) return NOTHING_NEXT;
  // Locked in id order, and before their states are read: a step with several inputs is planned exactly once,
  // by the transaction that stores its last input.
  const { rows: requests } = await tx.query<{
    id: string;
    tenant: string;
    link: string;
    postId: string | null;
    optionsId: number;
    lane: number;
    deadline: string | null;
    creditsHeld: number;
  }>({
    name: "lock_attached_requests",
    text: `select r.id, r.tenant, r.link, r.post_id as "postId", r.options_id as "optionsId", r.lane, r.deadline::text,
        r.credits_held as "creditsHeld"
      from request r
      where r.state = 'open'
        and r.id = any (array(
          select l.request_id from request_stage_job l where l.stage_job_id = any ($1::bigint[])))
      order by r.id
      for update of r`,
    values: [endedIds],
  });
  if (requests.length === 0) return NOTHING_NEXT;
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
      from request_stage_job l join stage_job j on j.id = any (array[l.stage_job_id])
      where l.request_id = any ($1::text[])`,
    values: [requests.map((r) => r.id)],
  });
  const optionsById = await planning.options.load(
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
  return await advance(tx, planning, [...advancing.values()]);
}
