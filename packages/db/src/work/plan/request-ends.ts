import {
  type ArtifactKeys,
  hashJson,
  type Plan,
  toOrderedOutputs,
  type Warning,
} from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import type { AdvancingRequest } from "./advancing-request.ts";
import { endHolds } from "../../ledger/credits.ts";

/** A request that has ended, and how. */
export interface RequestEnd {
  request: AdvancingRequest;
  plan: Exclude<Plan, { kind: "steps" }>;
}

/** Stores the ends of requests that are still open: an end is final. */
export async function storeEnds(tx: Queryable, ended: readonly RequestEnd[]): Promise<void> {
  if (ended.length === 0) return;
  const warnings = (plan: RequestEnd["plan"]): Warning[] =>
    plan.kind === "done" ? plan.warnings : [];
  await tx.query({
    name: "end_requests",
    text: `update request r set state = e.state, post_id = e.post_id, failed_stage = e.stage, error_code = e.code,
        error_message = e.message, warnings = e.warnings::jsonb, finished_at = now(),
        artifacts = e.artifacts::jsonb,
        cached = not exists (
          select 1 from request_stage_job l where l.request_id = any (array[r.id]) and l.relation <> 'reused')
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
          $8::text[])
        as e (id, state, post_id, stage, code, message, warnings, artifacts)
      where r.id = any (array[e.id]) and r.state = 'open'`,
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
      ended.map(({ plan }) => (plan.kind === "done" ? JSON.stringify(plan.artifacts) : null)),
    ],
  });
  const holding = ended.filter(({ request }) => request.creditsHeld > 0);
  await endHolds(
    tx,
    holding.map(({ request }) => request.id),
    await findPayers(tx, holding),
  );
}

/**
 * Of requests that get the same answer, the oldest pays: of those in this transaction, and only if none has paid while
 * they waited, as the first page of many requests does.
 */
async function findPayers(tx: Queryable, ended: readonly RequestEnd[]): Promise<Set<string>> {
  const oldest = [...toOldest(ended)];
  if (oldest.length === 0) return new Set();
  const { rows } = await tx.query<{ id: string }>({
    name: "find_paid_meanwhile",
    text: `select asked.id
      from unnest($1::text[]) as asked (id)
      join request r on r.id = any (array[asked.id])
      join request_options o on o.id = any (array[r.options_id])
      -- Requests for the same answer need the same last job.
      cross join lateral (
        select max(stage_job_id) as id from request_stage_job where request_id = any (array[r.id])) job
      where exists (
        select from request_stage_job l
        join credit_txn t on t.request_id = any (array[l.request_id]) and t.kind = 'capture'
          and t.created_at >= greatest(r.created_at, r.retried_at)
        join request p on p.id = any (array[l.request_id]) and p.post_id = r.post_id
        join request_options q on q.id = any (array[p.options_id])
        where l.stage_job_id = any (array[job.id]) and l.request_id <> r.id
          and q.outputs @> o.outputs and q.outputs <@ o.outputs and q.recipes = o.recipes
          and q.language is not distinct from o.language and q.fresh = o.fresh)`,
    values: [oldest],
  });
  const payers = new Set(oldest);
  for (const { id } of rows) payers.delete(id);
  return payers;
}

/** The oldest request for each answer. Ids sort by age. */
function toOldest(ended: readonly RequestEnd[]): Iterable<string> {
  const byAnswer = new Map<string, string>();
  for (const { request, plan } of ended) {
    if (plan.kind !== "done") continue;
    const { outputs, recipes, language, fresh } = request;
    // Not by the id of the options: earlier programs stored the same options in another order, too.
    const options = { outputs: toOrderedOutputs(outputs), recipes, language, fresh };
    const answer = `${plan.postId ?? request.id} ${hashJson(options)}`;
    const payer = byAnswer.get(answer);
    if (payer === undefined || request.id < payer) byAnswer.set(answer, request.id);
  }
  return byAnswer.values();
}

/** Sets the current artifacts of each post, even if they were made for another post with the same media. */
export async function setCurrentArtifacts(
  tx: Queryable,
  ended: readonly RequestEnd[],
): Promise<void> {
  const done = new Map<string, ArtifactKeys>();
  for (const { plan } of ended)
    if (plan.kind === "done" && plan.postId !== null)
      done.set(plan.postId, { ...done.get(plan.postId), ...plan.artifacts });
  if (done.size === 0) return;
  await tx.query({
    name: "set_current_artifacts",
    text: `with current as (
        select p.post_id, coalesce(p.artifacts, '{}') || c.artifacts::jsonb as artifacts
        from post p join unnest($1::text[], $2::text[]) as c (post_id, artifacts) on p.post_id = any (array[c.post_id])
        where not coalesce(p.artifacts, '{}') @> c.artifacts::jsonb
        order by p.post_id for update of p)
      update post p set artifacts = current.artifacts from current where p.post_id = any (array[current.post_id])`,
    values: [[...done.keys()], [...done.values()].map((keys) => JSON.stringify(keys))],
  });
}
