import type { DispatchedJob, PlannedStep } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { type AdvancingRequest, toMapKey, type Wanted } from "./advancing-request.ts";
import { type ExistingJob, lockExisting } from "./existing-jobs.ts";
import { insertJobs, type StartedJob } from "./insert-jobs.ts";
import type { Planning } from "./planning.ts";
import { type Joining, placeJobs } from "../place/place-jobs.ts";
import { renewJobs } from "./rerun.ts";
import { condemnUnreadable, dropUnreadable } from "./unreadable.ts";
import { shouldNotify } from "../lane.ts";
import { toStageState } from "./stage-state.ts";

export interface Attached {
  /** Requests for which a wanted step had ended already: they can be planned again. */
  settled: AdvancingRequest[];
  /** Queues whose dispatchers must be notified; see `shouldNotify`. */
  readyQueues: Set<string>;
  enqueued: DispatchedJob[];
  started: StartedJob[];
}

interface Link {
  requestId: string;
  jobId: number;
  /** Null if the step has the name of its stage. */
  step: string | null;
  relation: "started" | "joined" | "reused";
}

/** Finds or stores the stage job of each wanted step, and links it to its request. */
export async function attachSteps(
  tx: Queryable,
  { directEnqueue, rerun }: Pick<Planning, "directEnqueue" | "rerun">,
  wanted: readonly Wanted[],
): Promise<Attached> {
  const attached: Attached = {
    settled: [],
    readyQueues: new Set(),
    enqueued: [],
    started: [],
  };
  if (wanted.length === 0) return attached;
  const byKey = groupByKey(wanted);
  // Sorted by key, so that two batches insert in the same order and cannot deadlock.
  const best = [...byKey.keys()].sort().map((key) => toBestPlaced(byKey.get(key) ?? []));
  const { created, first, enqueued, started } = await insertJobs(tx, best, directEnqueue);
  const rest = best.filter(({ step }) => !created.has(toMapKey(step)));
  const existing = await lockExisting(
    tx,
    rest.map(({ step }) => step),
  );
  const asking = findAsking(byKey, existing);
  const condemned = await condemnUnreadable(tx, asking, existing);
  for (const [key, job] of condemned) existing.set(key, job);
  const renewed = await renewJobs(
    tx,
    rerun,
    asking.filter(({ step }) => !condemned.has(toMapKey(step))),
    existing,
  );
  const joinings = [...byKey].flatMap(([key, wants]) => {
    const old = existing.get(key);
    const freshId = created.get(key) ?? (renewed.has(key) ? old?.id : undefined);
    return toJoinings(wants, freshId, old);
  });
  await placeJobs(tx, joinings);

  for (const { request, step } of best) {
    const key = toMapKey(step);
    // A job after others of the same tenant and lane is found with them: notifying of each step would only wake
    // dispatchers.
    if ((first.has(key) || renewed.has(key)) && shouldNotify(request))
      attached.readyQueues.add(step.queue);
  }
  const links = [...byKey].flatMap(([key, wants]): Link[] => {
    const old = existing.get(key);
    const fresh = created.get(key) ?? (renewed.has(key) ? old?.id : undefined);
    if (fresh !== undefined) return linkFresh(wants, fresh);
    if (old !== undefined) return linkExisting(wants, old, attached.settled);
    throw new Error(`stage job ${key} vanished inside a transaction`);
  });
  await storeLinks(tx, links);
  await dropUnreadable(tx, wanted, (key) => created.get(key) ?? existing.get(key)?.id);
  return { ...attached, enqueued, started };
}

function groupByKey(wanted: readonly Wanted[]): Map<string, Wanted[]> {
  const byKey = new Map<string, Wanted[]>();
  for (const want of wanted) {
    const key = toMapKey(want.step);
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, [want]);
    else group.push(want);
  }
  return byKey;
}

/** Of the requests that want one job, the first in the best lane: the job gets its lane and tenant. */
function toBestPlaced(wants: readonly Wanted[]): Wanted {
  return wants.reduce((best, want) => (want.request.lane < best.request.lane ? want : best));
}

/**
 * Who joins an open job: of each tenant the best-placed want. A job that is new or runs again has its place by the
 * best-placed of all, and only other tenants join it.
 */
function toJoinings(
  wants: readonly Wanted[],
  freshId: number | undefined,
  old: ExistingJob | undefined,
): Joining[] {
  const byTenant = Map.groupBy(wants, ({ request }) => request.tenant);
  const joining = [...byTenant.values()].map(toBestPlaced);
  if (freshId === undefined)
    return old === undefined || old.endedMsAgo !== null
      ? []
      : joining.map((want) => ({ ...want, job: old }));
  const { request, step } = toBestPlaced(wants);
  const { lane, tenant, deadline: startBy } = request;
  const job = { id: freshId, state: "ready", lane, tenant, startBy, input: step.input };
  return joining.filter((want) => want.request.tenant !== tenant).map((want) => ({ ...want, job }));
}

/**
 * For each job that exists already, the request in the best lane among those that may make it run again: those not
 * linked to it yet, and those that cannot read its output. If two steps of one request are the same job, the second
 * takes it as it is; otherwise a job that fails would run again for ever.
 */
function findAsking(
  byKey: ReadonlyMap<string, readonly Wanted[]>,
  existing: ReadonlyMap<string, ExistingJob>,
): Wanted[] {
  return [...existing].flatMap(([key, { id }]) => {
    const asking = (byKey.get(key) ?? []).filter(
      ({ request, step }) => step.again === true || !request.jobIds.has(id),
    );
    if (asking.length === 0) return [];
    const { request, step } = toBestPlaced(asking);
    return [{ request, step: { ...step, again: asking.some((want) => want.step.again === true) } }];
  });
}

function linkFresh(wants: readonly Wanted[], jobId: number): Link[] {
  return wants.map(({ request, step }, position) => {
    request.states[step.step] = { state: "open" };
    const relation = position === 0 ? "started" : "joined";
    return { requestId: request.id, jobId, step: toStepName(step), relation };
  });
}

function linkExisting(
  wants: readonly Wanted[],
  job: ExistingJob,
  settled: AdvancingRequest[],
): Link[] {
  const state = toStageState(job);
  return wants.map(({ request, step }) => {
    request.states[step.step] = state;
    if (state.state !== "open") settled.push(request);
    return {
      requestId: request.id,
      jobId: job.id,
      step: toStepName(step),
      relation: state.state === "open" ? "joined" : "reused",
    };
  });
}

function toStepName({ step, stage }: PlannedStep): string | null {
  return step === stage ? null : step;
}

async function storeLinks(tx: Queryable, links: readonly Link[]): Promise<void> {
  await tx.query({
    name: "link_stage_jobs",
    text: `insert into request_stage_job (request_id, stage_job_id, relation, step)
      select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
      on conflict do nothing`,
    values: [
      links.map((l) => l.requestId),
      links.map((l) => l.jobId),
      links.map((l) => l.relation),
      links.map((l) => l.step),
    ],
  });
}
