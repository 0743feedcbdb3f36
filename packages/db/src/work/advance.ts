import type { ErrorCode, Plan, PlannedStep, Planner, StageState, Warning } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { notify } from "../notify.ts";
import { type AdvancingRequest, toMapKey } from "./advancing-request.ts";
import { lockExisting, reopen, type ExistingJob } from "./existing-jobs.ts";

export interface Advanced {
  requestId: string;
  state: "open" | "done" | "skipped" | "failed";
}

interface Wanted {
  request: AdvancingRequest;
  step: PlannedStep;
}

/**
 * Plans what follows for each request and stores it, until every request is waiting for work or at its end.
 * Steps that are done already (other callers, earlier days) are linked and planned past in the same transaction,
 * so that a fully stored post ends here without a queue. Runs inside the caller's transaction.
 */
export async function advance(
  tx: Queryable,
  plan: Planner,
  requests: readonly AdvancingRequest[],
): Promise<Advanced[]> {
  const ended: { request: AdvancingRequest; plan: Exclude<Plan, { kind: "steps" }> }[] = [];
  const readyQueues = new Set<string>();
  let active = [...requests];
  while (active.length > 0) {
    const wanted: Wanted[] = [];
    for (const request of active) {
      const next = plan(request, request.states);
      if (next.postId !== null) request.postId = next.postId;
      if (next.kind === "steps") for (const step of next.steps) wanted.push({ request, step });
      else ended.push({ request, plan: next });
    }
    active = await attach(tx, wanted, readyQueues);
  }
  await storeEnds(tx, ended);
  await setCurrentArtifacts(
    tx,
    ended.map(({ plan: end }) => end),
  );
  await notify(tx, "clipmill_ready", [...readyQueues]);
  await notify(
    tx,
    "clipmill_request",
    ended.map(({ request }) => request.id),
  );
  const endById = new Map(ended.map(({ request, plan: end }) => [request.id, end.kind]));
  return requests.map(({ id }) => ({ requestId: id, state: endById.get(id) ?? "open" }));
}

/** Links each wanted step to its request; returns the requests for which a step turned out to be at its end. */
async function attach(
  tx: Queryable,
  wanted: readonly Wanted[],
  readyQueues: Set<string>,
): Promise<AdvancingRequest[]> {
  if (wanted.length === 0) return [];
  const byKey = new Map<string, Wanted[]>();
  for (const want of wanted) {
    const key = toMapKey(want.step);
    byKey.set(key, [...(byKey.get(key) ?? []), want]);
  }
  // The best-placed caller of a batch books the row. Sorted by key, so that two batches insert in one order.
  const distinct = [...byKey.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, wants]) =>
      wants.reduce((best, want) => (want.request.lane < best.request.lane ? want : best)),
    );
  const created = await insertJobs(tx, distinct);
  for (const want of distinct)
    if (created.has(toMapKey(want.step))) readyQueues.add(want.step.queue);
  const rest = distinct.filter((want) => !created.has(toMapKey(want.step)));
  const existing = await lockExisting(
    tx,
    rest.map(({ step }) => step),
  );
  const reopened = await reopen(tx, rest, existing);
  for (const want of rest) if (reopened.has(toMapKey(want.step))) readyQueues.add(want.step.queue);

  const links: { requestId: string; jobId: number; relation: "started" | "joined" | "reused" }[] =
    [];
  const advanced = new Set<AdvancingRequest>();
  for (const [key, wants] of byKey) {
    const old = existing.get(key);
    const fresh = created.get(key) ?? (reopened.has(key) ? old?.id : undefined);
    wants.forEach(({ request, step }, position) => {
      if (fresh !== undefined) {
        links.push({
          requestId: request.id,
          jobId: fresh,
          relation: position === 0 ? "started" : "joined",
        });
        request.states[step.stage] = { state: "open" };
      } else if (old !== undefined) {
        const state = toStageState(old);
        links.push({
          requestId: request.id,
          jobId: old.id,
          relation: state.state === "open" ? "joined" : "reused",
        });
        request.states[step.stage] = state;
        if (state.state !== "open") advanced.add(request);
      } else {
        throw new Error(`stage job ${key} vanished inside a transaction`);
      }
    });
  }
  await tx.query({
    name: "link_stage_jobs",
    text: `insert into request_stage_job (request_id, stage_job_id, relation)
      select * from unnest($1::text[], $2::bigint[], $3::text[])
      on conflict do nothing`,
    values: [
      links.map((l) => l.requestId),
      links.map((l) => l.jobId),
      links.map((l) => l.relation),
    ],
  });
  return [...advanced];
}

async function insertJobs(tx: Queryable, wanted: readonly Wanted[]): Promise<Map<string, number>> {
  const { rows } = await tx.query<{ id: number; stage: string; key: string }>({
    name: "insert_stage_jobs",
    text: `insert into stage_job (stage, key, queue, lane, tenant, input, run_at)
      select stage, key, queue, lane, tenant, input::jsonb, now()
      from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[])
        as wanted (stage, key, queue, lane, tenant, input)
      on conflict (stage, key) do nothing
      returning id, stage, key`,
    values: [
      wanted.map(({ step }) => step.stage),
      wanted.map(({ step }) => step.key),
      wanted.map(({ step }) => step.queue),
      wanted.map(({ request }) => request.lane),
      wanted.map(({ request }) => request.tenant),
      wanted.map(({ step }) => JSON.stringify(step.input)),
    ],
  });
  return new Map(rows.map((row) => [toMapKey(row), row.id]));
}

export function toStageState(
  job: Pick<ExistingJob, "state" | "output" | "errorCode" | "errorMessage">,
): StageState {
  const code = (job.errorCode ?? "internal") as ErrorCode;
  const message = job.errorMessage ?? "";
  switch (job.state) {
    case "done":
      return { state: "done", output: job.output };
    case "skipped":
      return { state: "skipped", code, message };
    case "failed":
    case "cancelled":
      return { state: "failed", code: job.state === "cancelled" ? "cancelled" : code, message };
    default:
      return { state: "open" };
  }
}

async function storeEnds(
  tx: Queryable,
  ended: readonly { request: AdvancingRequest; plan: Exclude<Plan, { kind: "steps" }> }[],
): Promise<void> {
  if (ended.length === 0) return;
  const warnings = (plan: (typeof ended)[number]["plan"]): Warning[] =>
    plan.kind === "done" ? plan.warnings : [];
  await tx.query({
    name: "end_requests",
    text: `update request r set state = e.state, post_id = e.post_id, failed_stage = e.stage, error_code = e.code,
        error_message = e.message, warnings = e.warnings::jsonb, finished_at = now(),
        cached = not exists (
          select 1 from request_stage_job l where l.request_id = r.id and l.relation <> 'reused')
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        as e (id, state, post_id, stage, code, message, warnings)
      where r.id = e.id and r.state = 'open'`,
    values: [
      ended.map(({ request }) => request.id),
      ended.map(({ plan }) => plan.kind),
      ended.map(({ plan }) => plan.postId),
      ended.map(({ plan }) => (plan.kind === "done" ? null : plan.stage)),
      ended.map(({ plan }) => (plan.kind === "done" ? null : plan.code)),
      ended.map(({ plan }) => (plan.kind === "done" ? null : plan.message)),
      ended.map(({ plan }) =>
        warnings(plan).length === 0 ? null : JSON.stringify(warnings(plan)),
      ),
    ],
  });
}

/** Points each finished post at its artifacts, also where another post's run made them. */
async function setCurrentArtifacts(
  tx: Queryable,
  plans: readonly Exclude<Plan, { kind: "steps" }>[],
): Promise<void> {
  const done = new Map(
    plans.flatMap((plan) => (plan.kind === "done" ? [[plan.postId, plan.artifacts] as const] : [])),
  );
  if (done.size === 0) return;
  const artifacts = [...done.values()];
  await tx.query({
    name: "set_current_artifacts",
    text: `with current as (
        select p.post_id, coalesce(c.transcript_key, p.transcript_key) as transcript_key,
          coalesce(c.screen_text_key, p.screen_text_key) as screen_text_key,
          coalesce(c.answer_key, p.answer_key) as answer_key
        from post p
        join unnest($1::text[], $2::text[], $3::text[], $4::text[])
          as c (post_id, transcript_key, screen_text_key, answer_key) using (post_id)
        where (coalesce(c.transcript_key, p.transcript_key), coalesce(c.screen_text_key, p.screen_text_key),
            coalesce(c.answer_key, p.answer_key))
          is distinct from (p.transcript_key, p.screen_text_key, p.answer_key)
        order by p.post_id for update of p)
      update post p set transcript_key = current.transcript_key, screen_text_key = current.screen_text_key,
        answer_key = current.answer_key
      from current where p.post_id = current.post_id`,
    values: [
      [...done.keys()],
      artifacts.map((a) => a.transcriptKey),
      artifacts.map((a) => a.screenTextKey),
      artifacts.map((a) => a.answerKey),
    ],
  });
}
