import { type Plan, type PlannedStep, POST_KIND, type Submission } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { toMapKey } from "../plan/advancing-request.ts";
import { toLaneRank } from "../lane.ts";

/** A submission with all that can be worked out without the database. */
export interface Candidate {
  id: string;
  submission: Submission;
  /** Null where nobody compares it: without a key, or in a list, whose own options were compared. */
  bodyHash: string | null;
  /** What the planner says while nothing is done yet. */
  firstPlan: Plan;
}

/** Candidates with their columns as they go to Postgres. */
export interface PreparedSubmissions {
  candidates: readonly Candidate[];
  values: readonly unknown[];
  /** Some are of other kinds than posts, or of stages. */
  hasExtras: boolean;
}

export interface Stored {
  /** Ids of the requests that are new; the others' keys stood there. */
  inserted: ReadonlySet<string>;
  /** Those of them whose only step was new as well, and is stored and linked: nothing is left to plan. */
  planned: ReadonlySet<string>;
}

export function prepareColumns(candidates: readonly Candidate[]): PreparedSubmissions {
  const steps = findOwnSteps(candidates);
  const hasExtras = candidates.some(({ submission }) => isExtra(submission));
  return {
    candidates,
    hasExtras,
    values: [
      toTextArray(candidates, ({ id }) => id),
      toTextArray(candidates, ({ submission }) => submission.tenant),
      toTextArray(candidates, ({ submission }) => submission.link),
      toTextArray(candidates, ({ submission }) => submission.postId),
      toTextArray(candidates, ({ submission }) => String(toLaneRank(submission.lane))),
      toTextArray(candidates, ({ submission }) => submission.deadline),
      toTextArray(candidates, ({ submission }) => submission.idempotencyKey),
      toTextArray(candidates, ({ bodyHash }) => bodyHash),
      toTextArray(candidates, ({ submission }) => String(submission.credits ?? 0)),
      toTextArray(steps, (step) => step?.stage ?? null),
      toTextArray(steps, (step) => step?.key ?? null),
      toTextArray(steps, (step) => step?.queue ?? null),
      toTextArray(steps, (step) => (step === null ? null : JSON.stringify(step.input))),
      ...(hasExtras ? toExtraColumns(candidates) : []),
    ],
  };
}

/** `is true` keeps the planner from joining: each `in` is looked up in a hash table. */
const toStoreNew = (extra: { types: string; names: string; columns: string; values: string }) => `
with
-- What was prepared, a row each, with the id that its job would get.
item as materialized (
  select i.*, case when stage is not null then nextval('stage_job_id_seq') end as job_id
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::timestamptz[], $7::text[], $8::text[],
      $9::integer[], $10::text[], $11::text[], $12::text[], $13::text[]${extra.types})
    as i (id, tenant, link, post_id, lane, deadline, idempotency_key, body_hash, credits, stage, key, queue, input${extra.names}, options_id)
),
-- The requests whose idempotency key is new.
new_request as (
  insert into request (id, tenant, link, post_id, options_id, lane, deadline, idempotency_key, body_hash, credits${extra.columns})
  select id, tenant, link, post_id, options_id, lane, deadline, idempotency_key, body_hash, credits${extra.values} from item
  on conflict (tenant, idempotency_key) where idempotency_key is not null do nothing
  returning id
),
-- Their jobs, where the stage and key are new.
new_job as (
  insert into stage_job (id, stage, key, queue, lane, tenant, input, start_by, run_at) overriding system value
  select job_id, stage, key, queue, lane, tenant, input::jsonb, deadline, now() from item
  where job_id is not null and (id in (select id from new_request)) is true order by stage, key
  on conflict (stage, key) do nothing
  returning id
),
-- Each such request rests on its job.
new_link as (
  insert into request_stage_job (request_id, stage_job_id, relation)
  select id, job_id, 'started' from item where (job_id in (select id from new_job)) is true
)
select id, (id in (select id from new_request)) as created from item
where (job_id in (select id from new_job)) is not true`;

const STORE_NEW = toStoreNew({ types: ", $14::integer[]", names: "", columns: "", values: "" });
const STORE_NEW_OF_KINDS = toStoreNew({
  types: ", $14::text[], $15::text[], $16::bigint[], $17::boolean[], $18::integer[]",
  names: ", kind, request_input, submitted_by, ends_with_parent",
  columns: ", kind, input, submitted_by, ends_with_parent",
  values: ", kind, request_input::jsonb, submitted_by, ends_with_parent",
});

/**
 * Stores requests, and in the same statement the job of each that needs one step which nobody wanted before: nearly all
 * of a list. Whatever else a request needs is left to `advance`.
 */
export async function storeNew(
  tx: Queryable,
  { candidates, values, hasExtras }: PreparedSubmissions,
  optionIds: readonly number[],
): Promise<Stored> {
  const { rows } = await tx.query<{ id: string; created: boolean }>({
    name: hasExtras ? "store_new_requests_of_kinds" : "store_new_requests",
    text: hasExtras ? STORE_NEW_OF_KINDS : STORE_NEW,
    values: [...values, optionIds],
  });
  const inserted = new Set(candidates.map(({ id }) => id));
  const planned = new Set(inserted);
  for (const { id, created } of rows) {
    planned.delete(id);
    if (!created) inserted.delete(id);
  }
  return { inserted, planned };
}

function isExtra({ kind = POST_KIND, input = null, parent }: Submission): boolean {
  return kind !== POST_KIND || input !== null || parent !== undefined;
}

function toExtraColumns(candidates: readonly Candidate[]): string[] {
  return [
    toTextArray(candidates, ({ submission }) => submission.kind ?? POST_KIND),
    toTextArray(candidates, ({ submission: { input = null } }) =>
      input === null ? null : JSON.stringify(input),
    ),
    toTextArray(candidates, ({ submission }) =>
      submission.parent === undefined ? null : String(submission.parent.jobId),
    ),
    toTextArray(candidates, ({ submission }) => String(submission.parent?.endsWithParent ?? false)),
  ];
}

/** The step of each request that needs exactly one, unless another one of the batch needs the same; in their order. */
function findOwnSteps(candidates: readonly Candidate[]): (PlannedStep | null)[] {
  const taken = new Set<string>();
  return candidates.map(({ firstPlan }) => {
    const [step, more] = firstPlan.kind === "steps" ? firstPlan.steps : [];
    // A step with a name of its own needs a link that says so, which `advance` stores.
    if (step === undefined || more !== undefined || step.step !== step.stage) return null;
    const key = toMapKey(step);
    if (taken.has(key)) return null;
    taken.add(key);
    return step;
  });
}

/** As a literal: node-postgres would do it in the transaction, and takes twice as long. */
function toTextArray<T>(items: readonly T[], toText: (item: T) => string | null): string {
  return `{${items.map((item) => quote(toText(item))).join()}}`;
}

function quote(text: string | null): string {
  if (text === null) return "NULL";
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text}"`;
}
