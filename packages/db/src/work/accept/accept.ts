import {
  type Accepted,
  newRequestId,
  type Plan,
  type Planner,
  type RequestFacts,
  sha256,
  type Submission,
} from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { advance } from "../plan/advance.ts";
import type { AdvancingRequest } from "../plan/advancing-request.ts";
import { holdCredits } from "../../ledger/credits.ts";
import { toLaneRank } from "../lane.ts";
import type { Planning } from "../settle.ts";
import { type Candidate, prepareColumns, type PreparedSubmissions, storeNew } from "./store-new.ts";

/** Stores submissions as requests and plans their first steps, in the caller's transaction. */
export async function acceptSubmissions(
  tx: Queryable,
  planning: Planning,
  submissions: readonly Submission[],
): Promise<Accepted[]> {
  return acceptPrepared(tx, planning, prepareSubmissions(planning.plan, submissions));
}

/**
 * The part of accepting that needs no transaction, so that it can be done while another one is stored. `isList`: the
 * keys are of a list's own making, so a key that stands there already is the same item.
 */
export function prepareSubmissions(
  plan: Planner,
  submissions: readonly Submission[],
  { isList = false }: { isList?: boolean } = {},
): PreparedSubmissions {
  // Ids of one millisecond are in no order; in order, they go to the last page of each index one behind the other.
  const ids = submissions.map(() => newRequestId()).sort();
  const candidates = submissions.map((submission, i): Candidate => {
    const id = ids[i] ?? newRequestId();
    const isCompared = submission.idempotencyKey !== null && !isList;
    return {
      id,
      submission,
      bodyHash: isCompared ? hashBody(submission) : null,
      firstPlan: plan(toFacts(id, submission), {}),
    };
  });
  return prepareColumns(candidates);
}

/** Stores what was prepared, in the caller's transaction; the same again where that is rolled back and tried anew. */
export async function acceptPrepared(
  tx: Queryable,
  planning: Planning,
  prepared: PreparedSubmissions,
): Promise<Accepted[]> {
  const { candidates } = prepared;
  const optionIds = await planning.options.save(
    tx,
    candidates.map(({ submission: { outputs, recipes, language, fresh = false } }) => ({
      outputs,
      recipes,
      language,
      fresh,
    })),
  );
  const { inserted, planned } = await storeNew(tx, prepared, optionIds);
  const advancing: AdvancingRequest[] = [];
  const firstPlans = new Map<string, Plan>();
  for (const [i, { id, submission, firstPlan }] of candidates.entries()) {
    if (!inserted.has(id) || planned.has(id)) continue;
    firstPlans.set(id, firstPlan);
    advancing.push({
      ...toFacts(id, submission),
      tenant: submission.tenant,
      lane: toLaneRank(submission.lane),
      optionsId: optionIds[i] ?? 0,
      deadline: submission.deadline,
      creditsHeld: 0,
      states: {},
    });
  }
  const plan: Planner = (request, states) => {
    const first = firstPlans.get(request.id);
    firstPlans.delete(request.id);
    return first ?? planning.plan(request, states);
  };
  await notify(tx, "clipmill_ready", [...findQueues(candidates, planned)]);
  const { ends } = await advance(tx, { ...planning, plan }, advancing);
  // What was complete on arrival is free.
  const open = candidates.filter(({ id }) => inserted.has(id) && !ends.has(id));
  await holdCredits(
    tx,
    open.map(({ id, submission: { tenant, credits = 0 } }) => ({ id, tenant, credits })),
  );
  const earlier = await findEarlier(
    tx,
    candidates.filter(({ id }) => !inserted.has(id)),
  );
  return candidates.map(({ id, submission, bodyHash }) => {
    if (inserted.has(id)) return { requestId: id, created: true, state: ends.get(id) ?? "open" };
    const old = earlier.get(toIdempotencyKey(submission));
    if (old === undefined) throw new Error("a request was neither stored nor found");
    return {
      requestId: old.id,
      created: false,
      state: old.bodyHash === bodyHash ? old.state : "conflict",
    };
  });
}

function toFacts(id: string, submission: Submission): RequestFacts {
  const { link, postId, outputs, recipes, language, fresh = false } = submission;
  return { id, link, postId, outputs, recipes, language, fresh };
}

/** What the caller sent, without what our configuration adds: a replay after a change of engines is still a replay. */
function hashBody(submission: Submission): string {
  const { link, postId, outputs, lane, deadline, language, fresh = false } = submission;
  // A list has an order of its own; sorting keys would triple what a million of these take.
  const body = [link, postId, outputs, lane, deadline, language];
  // What was sent before `fresh` was known keeps its hash.
  return sha256(JSON.stringify(fresh ? [...body, "fresh"] : body));
}

function toIdempotencyKey({
  tenant,
  idempotencyKey,
}: Pick<Submission, "tenant" | "idempotencyKey">): string {
  return JSON.stringify([tenant, idempotencyKey]);
}

/** The queues that have news for a dispatcher. */
function findQueues(candidates: readonly Candidate[], planned: ReadonlySet<string>): Set<string> {
  const queues = new Set<string>();
  for (const { id, firstPlan } of candidates) {
    if (firstPlan.kind !== "steps" || !planned.has(id)) continue;
    for (const { queue } of firstPlan.steps) queues.add(queue);
  }
  return queues;
}

interface EarlierRequest {
  id: string;
  bodyHash: string | null;
  state: Accepted["state"];
}

async function findEarlier(
  tx: Queryable,
  candidates: readonly Candidate[],
): Promise<Map<string, EarlierRequest>> {
  if (candidates.length === 0) return new Map();
  const { rows } = await tx.query<EarlierRequest & { tenant: string; idempotencyKey: string }>({
    name: "find_earlier_requests",
    text: `select r.id, k.tenant, k.key as "idempotencyKey", r.body_hash as "bodyHash", r.state
      from unnest($1::text[], $2::text[]) as k (tenant, key) cross join lateral (
        select id, body_hash, state from request where tenant = k.tenant and idempotency_key = k.key offset 0) r`,
    values: [
      candidates.map((c) => c.submission.tenant),
      candidates.map((c) => c.submission.idempotencyKey),
    ],
  });
  return new Map(rows.map((row) => [toIdempotencyKey(row), row]));
}
