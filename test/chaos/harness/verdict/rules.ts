import { FATES, toAnswer } from "../../pipelines/ask.ts";
import { STEP_COUNTS } from "../../pipelines/index.ts";

/** A rule of the record; each row that its statement finds breaks it. */
export interface Rule {
  rule: string;
  sql: string;
}

const STEPS = [...STEP_COUNTS].map(([kind, count]) => `when '${kind}' then ${count}`).join(" ");

/** Whether a request `r` may have been cancelled: somebody asked for it, or it ended with those that it was submitted for. */
const MAY_BE_CANCELLED = `(exists (select from chaos_cancel c where c.request_id = r.id) or (r.ends_with_parent and not exists (
  select from request_stage_job l join request p on p.id = l.request_id where l.stage_job_id = r.submitted_by and p.state = 'done')))`;

export const RULES: readonly Rule[] = [
  {
    rule: "I1: an idempotency key has two requests",
    sql: `select idempotency_key from request where idempotency_key is not null group by tenant, idempotency_key having count(*) > 1`,
  },
  {
    rule: "I2: a request is done and its work is not",
    sql: `select r.id, r.kind from request r where r.state = 'done' and (
        select count(*) from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = r.id and j.state = 'done') <> case r.kind ${STEPS} end`,
  },
  {
    rule: "I2: a request is open and its work has ended",
    sql: `select r.id from request r where r.state = 'open' and not exists (
        select from request_stage_job l join stage_job j on j.id = l.stage_job_id
        where l.request_id = r.id and j.state in ('ready', 'queued', 'running', 'waiting'))`,
  },
  {
    rule: "I3: a key has two jobs",
    sql: `select stage, key from stage_job group by stage, key having count(*) > 1`,
  },
  {
    rule: "I4: work is left at rest",
    sql: `select id, state from stage_job where state in ('ready', 'queued', 'running', 'waiting')`,
  },
  {
    rule: "a good post did not end well",
    sql: `select id, state, error_code from request r where post_id like '71%' and state not in ('done', 'open', 'cancelled')`,
  },
  {
    rule: "a deleted post did not end as gone",
    sql: `select id, state, error_code from request where post_id like '72%' and state <> 'open'
        and (state, error_code) is distinct from ('skipped', 'gone')`,
  },
  {
    rule: "a poisonous post was not condemned",
    sql: `select id, state, error_code from request where post_id like '73%' and state <> 'open'
        and (state, error_code) is distinct from ('failed', 'poison')`,
  },
  {
    rule: "a request that nobody cancelled was cancelled",
    sql: `select r.id, r.kind from request r where r.state = 'cancelled' and not ${MAY_BE_CANCELLED}`,
  },
  {
    rule: "I6: a transaction does not sum to zero",
    sql: `select txn_id from credit_entry group by txn_id having sum(amount) <> 0`,
  },
  {
    rule: "I6: a tenant's balance is not the sum of its entries",
    sql: `select t.id from tenant t cross join lateral (
        select coalesce(sum(e.amount) filter (where e.account = 'available'), 0)::bigint as available,
          coalesce(sum(e.amount) filter (where e.account = 'held'), 0)::bigint as held
        from credit_txn x join credit_entry e on e.txn_id = x.id where x.tenant = t.id) sums
      where (t.available, t.held) is distinct from (sums.available, sums.held)`,
  },
  {
    rule: "I6: a hold has not exactly one end where its request ended",
    sql: `select r.id from request r join credit_txn h on h.request_id = r.id and h.kind = 'hold'
      where (r.state <> 'open') <> (select count(*) = 1 from credit_txn e
        where e.request_id = r.id and e.kind in ('capture', 'release'))`,
  },
  {
    rule: "I6: a post was paid twice",
    sql: `select r.post_id from request r join credit_txn c on c.request_id = r.id and c.kind = 'capture'
      where r.post_id is not null group by r.post_id having count(*) > 1`,
  },
  {
    rule: "I6: nothing was paid at all",
    sql: `select 1 where not exists (select from credit_txn where kind = 'capture')`,
  },
  ...["I2", "I3", "I5"].map((rule) => ({
    rule: `${rule}: seen when it was broken`,
    sql: `select detail from chaos_violation where rule = '${rule}'`,
  })),
];

/** How much later than its parent a request that ends with it may end well: a page of children, and a reconciler's turn. */
const ENDS_WITHIN = "20 s";

/** Of requests that stages submit. */
export const CHILD_RULES: readonly Rule[] = [
  {
    rule: "I1: a stage has not exactly the children that it submitted",
    sql: `select j.key, j.output -> 'submitted' as submitted from stage_job j where j.stage = 'list' and j.state = 'done'
        and (select count(*) from request r where r.submitted_by = j.id) <> (j.output ->> 'submitted')::int`,
  },
  {
    rule: "I1: a stage that has not ended has children",
    sql: `select j.key, j.state from request r join stage_job j on j.id = r.submitted_by where j.state <> 'done'`,
  },
  {
    rule: "I1: a child was submitted twice",
    sql: `select submitted_by, kind, coalesce(post_id, input ->> 'id') as subject from request where submitted_by is not null
      group by 1, 2, 3 having count(*) > 1`,
  },
  {
    rule: "I4: children that end with their parents are left to be looked at",
    sql: `select stage_job_id, after_id from children_to_end`,
  },
  {
    rule: "I4: a child went on long after its parent's early end",
    sql: `select r.id, r.kind, r.finished_at - parent.ended_at as late from request r cross join lateral (
        select max(p.finished_at) as ended_at, bool_or(p.state in ('open', 'done')) as is_wanted
        from request_stage_job l join request p on p.id = l.request_id where l.stage_job_id = r.submitted_by) parent
      where r.ends_with_parent and r.state = 'done' and not parent.is_wanted
        and r.finished_at > parent.ended_at + interval '${ENDS_WITHIN}'`,
  },
];

const ANSWER_OF_KEY = `'${toAnswer("")}' || j.key`;
const ENDS_WELL = FATES.filter((fate) => fate !== "refused").map((fate) => `'${fate}-%'`);

/** Of jobs that wait. That each wait ends once, and with its own answer, is seen when it ends: see the audit. */
export const WAIT_RULES: readonly Rule[] = [
  {
    rule: "I4: a wait has not ended",
    sql: `select stage_job_id, token from chaos_wait where ended_as is null`,
  },
  {
    rule: "I4: the row of a wait is left",
    sql: `select token, stage_job_id from stage_wait`,
  },
  {
    // It was there for the round to see, and its time was over after the round had been stored.
    rule: "I4: a wait ran out although its answer had been stored",
    sql: `select w.token, w.ended_at - c.resolved_at as after from chaos_round c join stage_job j on j.id = c.stage_job_id
      cross join lateral jsonb_array_elements_text(j.output -> 'tokens') as given (token)
      join chaos_wait w on w.token = given.token and w.ended_as = 'ready'
      where pg_visible_in_snapshot(w.stored_by, c.seen) and w.ended_at > c.resolved_at`,
  },
  {
    rule: "I5: a job holds another question's answer",
    sql: `select j.stage, j.key, j.output from stage_job j where j.stage in ('ask', 'use') and j.state = 'done'
        and (j.output ->> 'answer' is distinct from ${ANSWER_OF_KEY} or j.output ->> 'id' is distinct from j.key)`,
  },
  {
    rule: "a question did not end as its answer says",
    sql: `select r.id, r.state, r.error_code, r.input from request r where r.kind = 'ask' and r.state not in ('open', 'cancelled')
        and not case when r.input ->> 'id' like any (array[${ENDS_WELL.join()}]) then r.state = 'done'
          else r.state = 'failed' and r.error_code = 'refused' end`,
  },
  {
    rule: "a crawl or a round did not end well",
    sql: `select id, kind, state, error_code from request where kind in ('crawl', 'round') and state not in ('open', 'done', 'cancelled')`,
  },
];
