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
  /** How requests ended, by id. Missing: the request waits for a job. */
  ends: ReadonlyMap<string, "done" | "skipped" | "failed">;
  enqueued: DispatchedJob[];
  started: ClaimedJob[];
  /** Requests whose kind this program does not know. They were left unchanged. */
  left: string[];
}

/** What the rounds of one call have done so far. */
interface Progress extends Pick<Advanced, "enqueued" | "started" | "left"> {
  ended: RequestEnd[];
  readyQueues: Set<string>;
}

/**
 * Plans the next steps of each request and stores them, round by round, until every request waits for a job or has
 * ended. If a step was done before for another request, it is linked and planning goes on at once: a request whose
 * results are all stored ends here, without a queue. Runs in the caller's transaction.
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

/** The free slots for the next round: each can be used once. */
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
