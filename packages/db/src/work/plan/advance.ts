import type { ClaimedJob, DispatchedJob, Planner } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { notify } from "../../notify.ts";
import { shouldNotify } from "../lane.ts";
import type { AdvancingRequest, Wanted } from "./advancing-request.ts";
import { type Attached, attachSteps } from "./attach-steps.ts";
import type { DirectEnqueue, StartedJob } from "./insert-jobs.ts";
import { planNext } from "./plan-next.ts";
import type { Planning } from "./planning.ts";
import { type RequestEnd, setCurrentArtifacts, storeEnds } from "./request-ends.ts";

export interface Advanced {
  /** By request id. Missing: the request waits for work. */
  ends: ReadonlyMap<string, "done" | "skipped" | "failed">;
  enqueued: DispatchedJob[];
  started: ClaimedJob[];
  /** Requests whose kind this program does not know; they are as they were. */
  left: string[];
}

/** What the rounds of one call have come to so far. */
interface Progress extends Pick<Advanced, "enqueued" | "started" | "left"> {
  ended: RequestEnd[];
  readyQueues: Set<string>;
}

/**
 * Plans what follows for each request and stores it, until every request is waiting for work or at its end.
 * Steps that are done already (other callers, earlier days) are linked and planned past in the same transaction,
 * so that a fully stored post ends here without a queue. Runs inside the caller's transaction.
 */
export async function advance(
  tx: Queryable,
  planning: Planning,
  requests: readonly AdvancingRequest[],
): Promise<Advanced> {
  const progress: Progress = {
    ended: [],
    enqueued: [],
    started: [],
    left: [],
    readyQueues: new Set(),
  };
  let active = requests;
  let { directEnqueue } = planning;
  while (active.length > 0) {
    const wanted = planRound(planning.plan, active, progress);
    const attached = await attachSteps(tx, { ...planning, directEnqueue }, wanted);
    addRound(progress, attached);
    directEnqueue = toSlotsLeft(directEnqueue, attached.started);
    active = [...new Set(attached.settled)];
  }
  const { ended, enqueued, started, left } = progress;
  await storeEnds(tx, ended);
  await setCurrentArtifacts(tx, ended);
  await notifyOf(tx, progress);
  const ends = new Map(ended.map((end) => [end.request.id, end.plan.kind]));
  return { ends, enqueued, started, left };
}

function planRound(
  plan: Planner,
  active: readonly AdvancingRequest[],
  { ended, left }: Progress,
): Wanted[] {
  const wanted: Wanted[] = [];
  for (const request of active) {
    const next = planNext(plan, request, request.states);
    if (next === null) {
      left.push(request.id);
      continue;
    }
    if (next.postId !== null) request.postId = next.postId;
    if (next.kind === "steps") for (const step of next.steps) wanted.push({ request, step });
    else ended.push({ request, plan: next });
  }
  return wanted;
}

function addRound(progress: Progress, { readyQueues, enqueued, started }: Attached): void {
  for (const queue of readyQueues) progress.readyQueues.add(queue);
  progress.enqueued.push(...enqueued);
  progress.started.push(...started);
}

/** For the next round: a slot is taken once. */
function toSlotsLeft(directEnqueue: DirectEnqueue, started: readonly StartedJob[]): DirectEnqueue {
  const { eagerStart } = directEnqueue;
  if (eagerStart === null) return directEnqueue;
  const slots = { ...eagerStart.slots };
  for (const { queue } of started) slots[queue] = (slots[queue] ?? 0) - 1;
  return { ...directEnqueue, eagerStart: { ...eagerStart, slots } };
}

async function notifyOf(tx: Queryable, { ended, readyQueues }: Progress): Promise<void> {
  await notify(tx, "clipmill_ready", [...readyQueues]);
  await notify(
    tx,
    "clipmill_request",
    ended.flatMap(({ request }) => (shouldNotify(request) ? [request.id] : [])),
  );
}
