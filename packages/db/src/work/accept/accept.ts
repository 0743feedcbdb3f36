import {
  type Accepted,
  newRequestId,
  POST_KIND,
  type Plan,
  type Planner,
  type RequestFacts,
  sha256,
  type Submission,
  toOrderedOutputs,
  UnrecoverableError,
} from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { advance } from "../plan/advance.ts";
import type { AdvancingRequest } from "../plan/advancing-request.ts";
import { holdCredits } from "../../ledger/credits.ts";
import { toLaneRank } from "../lane.ts";
import { planNext } from "../plan/plan-next.ts";
import type { Planning } from "../plan/planning.ts";
import { type Candidate, prepareColumns, type PreparedSubmissions, storeNew } from "./store-new.ts";

const NO_JOBS: ReadonlySet<number> = new Set();

/** Stores submissions as requests and plans their first steps, in the caller's transaction. */
export async function acceptSubmissions(
  tx: Queryable,
  planning: Planning,
  submissions: readonly Submission[],
): Promise<Accepted[]> {
  return acceptPrepared(tx, planning, prepareSubmissions(planning.plan, submissions));
}

/**
 * The part of accepting that needs no database, so that it can run while another batch is being stored. `isOwnKey`: we
 * made the idempotency keys ourselves, so bodies need not be compared: a key that exists already is the same item.
 * Throws UnrecoverableError `invalid_request` for a kind without a pipeline in this program.
 */
export function prepareSubmissions(
  plan: Planner,
  submissions: readonly Submission[],
  { isOwnKey = false }: { isOwnKey?: boolean } = {},
): PreparedSubmissions {
  // Ids made in the same millisecond are in random order. Sorted, they are all appended to the last page of each index.
  const ids = submissions.map(() => newRequestId()).sort();
  const candidates = submissions.map((asked, i): Candidate => {
    const id = ids[i] ?? newRequestId();
    const isCompared = asked.idempotencyKey !== null && !isOwnKey;
    // Two orders of the same outputs are one wish: one answer, and one price.
    const outputs = toOrderedOutputs(asked.outputs);
    const submission = outputs === asked.outputs ? asked : { ...asked, outputs };
    const firstPlan = planNext(plan, toFacts(id, submission), {});
    if (firstPlan === null) {
      const message = `there is no pipeline for requests of the kind ${submission.kind ?? POST_KIND}`;
      throw new UnrecoverableError("invalid_request", message);
    }
    return { id, submission, bodyHash: isCompared ? hashBody(asked) : null, firstPlan };
  });
  return prepareColumns(candidates);
}

/** Stores what was prepared, in the caller's transaction. May be called again with the same after a rollback. */
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
      jobIds: NO_JOBS,
    });
  }
  const plan: Planner = (request, states) => {
    const first = firstPlans.get(request.id);
    firstPlans.delete(request.id);
    return first ?? planning.plan(request, states);
  };
  await notify(tx, "clipmill_ready", [...findQueues(candidates, planned)]);
  const { ends } = await advance(tx, { ...planning, plan }, advancing);
  const earlier = await findEarlier(
    tx,
    candidates.filter(({ id }) => !inserted.has(id)),
  );
  // A request whose results were all stored already is free.
  const open = candidates.filter(({ id }) => inserted.has(id) && !ends.has(id));
  await holdCredits(
    tx,
    open.map(({ id, submission: { tenant, credits = 0 } }) => ({ id, tenant, credits })),
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
  const { kind = POST_KIND, link, postId, outputs, recipes, language } = submission;
  const { fresh = false, input = null } = submission;
  return { id, kind, link, postId, outputs, recipes, language, fresh, input };
}

/** Hash of what the caller sent. Engines are left out: after a change of configuration a replay is still a replay. */
function hashBody(submission: Submission): string {
  const { link, postId, outputs, lane, deadline, language, fresh = false } = submission;
  // A list, because an object would need its keys sorted: that takes three times as long for a million of these.
  const body: unknown[] = [link, postId, outputs, lane, deadline, language];
  // Added only if set, so that the hashes of bodies that were stored before these fields existed stay the same.
  if (fresh) body.push("fresh");
  const { kind = POST_KIND, input = null } = submission;
  if (kind !== POST_KIND || input !== null) body.push([kind, input]);
  return sha256(JSON.stringify(body));
}

function toIdempotencyKey({
  tenant,
  idempotencyKey,
}: Pick<Submission, "tenant" | "idempotencyKey">): string {
  return JSON.stringify([tenant, idempotencyKey]);
}

/** The queues whose dispatchers must be notified. */
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
