import { type Plan, type PlannedStep, POST_KIND, type Submission } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { toMapKey } from "../plan/advancing-request.ts";
import { toLaneRank } from "../lane.ts";

/** A submission with all that can be prepared without the database. */
export interface Candidate {
  id: string;
  submission: Submission;
  /**
   * Null if it is never compared: the submission has no key, or belongs to a list, whose options are compared instead.
   */
  bodyHash: string | null;
  /** The plan while no step has run. */
  firstPlan: Plan;
}

/** Candidates, and their columns as parameters of `store_new_requests`. */
export interface PreparedSubmissions {
  candidates: readonly Candidate[];
  values: readonly unknown[];
  /** Whether some have another kind than post, an input, or a parent: these need the longer statement. */
  hasExtras: boolean;
}

export interface Stored {
  /** Ids of the requests that were stored. The idempotency keys of the others existed already. */
  inserted: ReadonlySet<string>;
  /** Those of them whose only step had no job yet, so that it is stored and linked as well: nothing is left to plan. */
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

/** `is true` keeps Postgres from turning `in` into a join: each `in` is then a lookup in a hash table. */
const toStoreNew = (extra: { types: string; names: string; columns: string; values: string }) => `
with
-- The prepared submissions, a row each, with an id for the job if they have one.
item as materialized (
  select i.*, case when stage is not null then nextval('stage_job_id_seq') end as job_id
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::timestamptz[], $7::text[], $8::text[],
      $9::integer[], $10::text[], $11::text[], $12::text[], $13::text[]${extra.types})
    as i (id, tenant, link, post_id, lane, deadline, idempotency_key, body_hash, credits, stage, key, queue, input${extra.names}, options_id)
),
-- Stores the requests whose idempotency key is new, or that have none.
new_request as (
  insert into request (id, tenant, link, post_id, options_id, lane, deadline, idempotency_key, body_hash, credits${extra.columns})
  select id, tenant, link, post_id, options_id, lane, deadline, idempotency_key, body_hash, credits${extra.values} from item
  on conflict (tenant, idempotency_key) where idempotency_key is not null do nothing
  returning id
),
-- Stores the jobs of these requests, if no job has their stage and key.
new_job as (
  insert into stage_job (id, stage, key, queue, lane, tenant, input, start_by, run_at) overriding system value
  select job_id, stage, key, queue, lane, tenant, input::jsonb, deadline, now() from item
  where job_id is not null and (id in (select id from new_request)) is true order by stage, key
  on conflict (stage, key) do nothing
  returning id
),
-- Links each request to its new job.
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
 * Stores requests. For a request that needs only one step, the same statement stores its job, unless the job exists:
 * that is so for nearly all items of a list. Everything else is left to `advance`.
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

/** In order: the step of each request that needs just one. Null if it needs more, or an earlier one needs the same. */
function findOwnSteps(candidates: readonly Candidate[]): (PlannedStep | null)[] {
  const taken = new Set<string>();
  return candidates.map(({ firstPlan }) => {
    const [step, more] = firstPlan.kind === "steps" ? firstPlan.steps : [];
    // A step with a variant needs a link with the step's name, which only `advance` stores.
    if (step === undefined || more !== undefined || step.step !== step.stage) return null;
    const key = toMapKey(step);
    if (taken.has(key)) return null;
    taken.add(key);
    return step;
  });
}

/** An array literal. node-postgres would make it inside the transaction, and take twice as long. */
function toTextArray<T>(items: readonly T[], toText: (item: T) => string | null): string {
  return `{${items.map((item) => quote(toText(item))).join()}}`;
}

function quote(text: string | null): string {
  if (text === null) return "NULL";
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text}"`;
}
