import type { ClaimedJob, DispatchedJob, Plan, Planner } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import type { AdvancingRequest, Wanted } from "./advancing-request.ts";
import { attachSteps } from "./attach-steps.ts";
import type { StartedJob, DirectEnqueue } from "./insert-jobs.ts";
import { shouldNotify } from "../lane.ts";
import { type RequestEnd, setCurrentArtifacts, storeEnds } from "./request-ends.ts";
import type { Planning } from "../settle.ts";

/** Where a request fails that no stage failed. */
const PLANNING = "plan";

export interface Advanced {
  /** By request id. Missing: the request waits for work. */
  ends: ReadonlyMap<string, "done" | "skipped" | "failed">;
  enqueued: DispatchedJob[];
  started: ClaimedJob[];
}

/**
 * Plans what follows for each request and stores it, until every request is waiting for work or at its end.
 * Steps that are done already (other callers, earlier days) are linked and planned past in the same transaction,
 * so that a fully stored post ends here without a queue. Runs inside the caller's transaction.
 */
export async function advance(
  tx: Queryable,
  { plan, directEnqueue }: Planning,
  requests: readonly AdvancingRequest[],
): Promise<Advanced> {
  const ended: RequestEnd[] = [];
  const enqueued: DispatchedJob[] = [];
  const started: ClaimedJob[] = [];
  const readyQueues = new Set<string>();
  let active: readonly AdvancingRequest[] = requests;
  let left = directEnqueue;
  while (active.length > 0) {
    const wanted: Wanted[] = [];
    for (const request of active) {
      const next = planNext(plan, request);
      if (next.postId !== null) request.postId = next.postId;
      if (next.kind === "steps") for (const step of next.steps) wanted.push({ request, step });
      else ended.push({ request, plan: next });
    }
    const attached = await attachSteps(tx, wanted, left);
    left = toLeft(left, attached.started);
    for (const queue of attached.readyQueues) readyQueues.add(queue);
    enqueued.push(...attached.enqueued);
    started.push(...attached.started);
    active = attached.settled;
  }
  await storeEnds(tx, ended);
  await setCurrentArtifacts(
    tx,
    ended.map((end) => end.plan),
  );
  await notify(tx, "clipmill_ready", [...readyQueues]);
  await notify(
    tx,
    "clipmill_request",
    ended.flatMap(({ request }) => (shouldNotify(request) ? [request.id] : [])),
  );
  const ends = new Map(ended.map((end) => [end.request.id, end.plan.kind]));
  return { ends, enqueued, started };
}

/** For the next round: a slot is taken once. */
function toLeft(directEnqueue: DirectEnqueue, started: readonly StartedJob[]): DirectEnqueue {
  const { eagerStart } = directEnqueue;
  if (eagerStart === null) return directEnqueue;
  const slots = { ...eagerStart.slots };
  for (const { queue } of started) slots[queue] = (slots[queue] ?? 0) - 1;
  return { ...directEnqueue, eagerStart: { ...eagerStart, slots } };
}

/** A result that cannot be read, of another version say, ends its own request and not the batch that it is in. */
function planNext(plan: Planner, request: AdvancingRequest): Plan {
  try {
    return plan(request, request.states);
  } catch (error) {
    const message = `what follows cannot be planned: ${error instanceof Error ? error.name : "unknown"}`;
    return { kind: "failed", postId: request.postId, stage: PLANNING, code: "internal", message };
  }
}
