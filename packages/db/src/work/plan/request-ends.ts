import type { Plan, Warning } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import type { AdvancingRequest } from "./advancing-request.ts";
import { endHolds } from "../../ledger/credits.ts";

/** A request that has come to its end, and how. */
export interface RequestEnd {
  request: AdvancingRequest;
  plan: Exclude<Plan, { kind: "steps" }>;
}

/** Stores the ends of requests; an end is final. */
export async function storeEnds(tx: Queryable, ended: readonly RequestEnd[]): Promise<void> {
  if (ended.length === 0) return;
  const warnings = (plan: RequestEnd["plan"]): Warning[] =>
    plan.kind === "done" ? plan.warnings : [];
  await tx.query({
    name: "end_requests",
    text: `update request r set state = e.state, post_id = e.post_id, failed_stage = e.stage, error_code = e.code,
        error_message = e.message, warnings = e.warnings::jsonb, finished_at = now(),
        transcript_key = e.transcript_key, screen_text_key = e.screen_text_key, answer_key = e.answer_key,
        cached = not exists (
          select 1 from request_stage_job l where l.request_id = any (array[r.id]) and l.relation <> 'reused')
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
          $8::text[], $9::text[], $10::text[])
        as e (id, state, post_id, stage, code, message, warnings, transcript_key, screen_text_key, answer_key)
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
      ended.map(({ plan }) => (plan.kind === "done" ? plan.artifacts.transcriptKey : null)),
      ended.map(({ plan }) => (plan.kind === "done" ? plan.artifacts.screenTextKey : null)),
      ended.map(({ plan }) => (plan.kind === "done" ? plan.artifacts.answerKey : null)),
    ],
  });
  const holding = ended.filter(({ request }) => request.creditsHeld > 0);
  await endHolds(
    tx,
    holding.map(({ request }) => request.id),
    toPayers(holding),
  );
}

/** Of the requests that get one answer at the same time, the oldest pays; ids sort by age. */
function toPayers(ended: readonly RequestEnd[]): Set<string> {
  const payers = new Map<string, string>();
  for (const { request, plan } of ended) {
    if (plan.kind !== "done") continue;
    const answer = `${plan.postId} ${request.optionsId}`;
    const payer = payers.get(answer);
    if (payer === undefined || request.id < payer) payers.set(answer, request.id);
  }
  return new Set(payers.values());
}

/** Points each finished post at its artifacts, also where another post's run made them. */
export async function setCurrentArtifacts(
  tx: Queryable,
  plans: readonly RequestEnd["plan"][],
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
          as c (post_id, transcript_key, screen_text_key, answer_key) on p.post_id = any (array[c.post_id])
        where (coalesce(c.transcript_key, p.transcript_key), coalesce(c.screen_text_key, p.screen_text_key),
            coalesce(c.answer_key, p.answer_key))
          is distinct from (p.transcript_key, p.screen_text_key, p.answer_key)
        order by p.post_id for update of p)
      update post p set transcript_key = current.transcript_key, screen_text_key = current.screen_text_key,
        answer_key = current.answer_key
      from current where p.post_id = any (array[current.post_id])`,
    values: [
      [...done.keys()],
      artifacts.map((a) => a.transcriptKey),
      artifacts.map((a) => a.screenTextKey),
      artifacts.map((a) => a.answerKey),
    ],
  });
}
