import {
  type EagerStart,
  type ClaimedJob,
  type DispatchedJob,
  QUEUE_NAMES,
  type QueueName,
} from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import { toMapKey, type Wanted } from "./advancing-request.ts";
import { toJobLane } from "../lane.ts";
import { isUnderShare } from "../dispatch/shares.ts";
import { inMs, toBeginning } from "../states.ts";

/**
 * What new jobs need to be queued or started at once, without a dispatcher. A job may only if its queue has no ready
 * job, so that it overtakes no lane or tenant, and if its tenant has no cap, because only dispatchers count caps. It
 * starts eagerly if the caller has a slot for it; otherwise it is enqueued if the window has room. This saves row
 * versions and a round through the dispatcher for each stage after the first. A queue with a window of 0 enqueues and
 * starts nothing.
 */
export interface DirectEnqueue {
  window: Readonly<Record<QueueName, number>>;
  queuedForMs: number;
  leaseMs: number;
  /** Which jobs the caller can start itself. Null: none. */
  eagerStart: EagerStart | null;
}

/** For callers that push no hints: the dispatcher finds the jobs that they store. */
export const NO_DIRECT_ENQUEUE: DirectEnqueue = {
  window: { io: 0, gpu: 0, cpu: 0, llm: 0 },
  queuedForMs: 0,
  leaseMs: 0,
  eagerStart: null,
};

export interface Inserted {
  /** Ids of the new jobs, by map key. */
  created: Map<string, number>;
  /** Map keys of the jobs that wait for a dispatcher and are the first of their tenant and lane. */
  first: Set<string>;
  enqueued: DispatchedJob[];
  started: StartedJob[];
}

export interface StartedJob extends ClaimedJob {
  queue: QueueName;
}

interface InsertedRow {
  id: number;
  stage: string;
  key: string;
  queue: QueueName;
  lane: number;
  epoch: number;
  state: string;
  first: boolean;
  underShare: boolean;
}

const BEGINNING = toBeginning({
  state: "state",
  queuedUntil: inMs("$12"),
  // `clock_timestamp()`, because `now()` is the start of the transaction, which may be a while ago.
  runningUntil: "clock_timestamp() + make_interval(secs => $13::float8 / 1000)",
  workerId: "$14",
});
const ROOM = { inFlight: "room.in_flight", tenants: "room.tenants" };

const INSERT = `
with
-- The queues of these jobs that have no ready job. The limit keeps Postgres from planning a join, which might read all
-- ready jobs.
open_queue as (
  select q.queue, q.size, q.slots from unnest($8::text[], $9::bigint[], $10::bigint[]) as q (queue, size, slots)
  where q.size > 0 and q.queue = any ($3::text[])
    and (select j.id from stage_job j where j.queue = q.queue and j.run_at is not null limit 1) is null
),
-- What each tenant has queued and running in these queues.
in_flight as materialized (
  select q.queue, q.size, q.slots, j.tenant, count(j.id) as jobs, count(j.id) filter (where j.state = 'queued') as queued
  from open_queue q left join stage_job j on j.queue = any (array[q.queue]) and j.in_flight
  group by q.queue, q.size, q.slots, j.tenant
),
-- How many more hints each of these queues takes, and how many jobs the caller can start itself.
room as materialized (
  select queue, size - sum(queued) as jobs, sum(jobs) as in_flight, count(*) as tenants, slots
  from in_flight group by queue, size, slots
),
-- Tenants with a cap, which only dispatchers count.
capped as materialized (
  select t.id from tenant t where t.id = any ($5::text[]) and t.max_in_flight is not null
),
-- Each job with its first state: running while the caller has slots, queued while there is room, else ready.
wanted as (
  select w.*, case
    when w.start_by <= now() or w.tenant = any (array(select id from capped)) then 'ready'
    when row_number() over of_queue <= room.slots and w.stage = any ($11::text[]) then 'running'
    when row_number() over of_queue <= room.jobs then 'queued'
    else 'ready' end as state
  from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::timestamptz[])
    as w (stage, key, queue, lane, tenant, input, start_by)
  left join room on room.queue = w.queue
  window of_queue as (partition by w.queue order by w.lane, w.stage, w.key)
)
insert into stage_job (stage, key, queue, lane, tenant, input, start_by, ${BEGINNING.columns})
select stage, key, queue, lane, tenant, input::jsonb, start_by, ${BEGINNING.values}
from wanted order by stage, key
on conflict (stage, key) do nothing
returning id, stage, key, queue, lane, epoch, state,
  state = 'ready' and not exists (
    select from stage_job j where j.queue = stage_job.queue and j.lane = stage_job.lane
      and j.tenant = stage_job.tenant and j.run_at <= now()) as first,
  state = 'queued' and coalesce((
    select ${isUnderShare("f.jobs", ROOM)} from in_flight f join room on room.queue = f.queue
    where f.queue = stage_job.queue and f.tenant = stage_job.tenant), true) as "underShare"`;

/** Stores the jobs that do not exist yet. Some of them are queued at once, or claimed for the caller. */
export async function insertJobs(
  tx: Queryable,
  wanted: readonly Wanted[],
  { window, queuedForMs, leaseMs, eagerStart }: DirectEnqueue,
): Promise<Inserted> {
  const { rows } = await tx.query<InsertedRow>({
    name: "insert_stage_jobs",
    text: INSERT,
    values: [
      wanted.map(({ step }) => step.stage),
      wanted.map(({ step }) => step.key),
      wanted.map(({ step }) => step.queue),
      wanted.map(({ request }) => request.lane),
      wanted.map(({ request }) => request.tenant),
      wanted.map(({ step }) => JSON.stringify(step.input)),
      wanted.map(({ request }) => request.deadline),
      QUEUE_NAMES,
      QUEUE_NAMES.map((queue) => window[queue]),
      QUEUE_NAMES.map((queue) => eagerStart?.slots[queue] ?? 0),
      eagerStart?.stages ?? [],
      queuedForMs,
      leaseMs,
      eagerStart?.workerId ?? null,
    ],
  });
  const inState = (state: string) => rows.filter((row) => row.state === state);
  const started = inState("running");
  const wantedBy = new Map(
    started.length === 0 ? [] : wanted.map((each) => [toMapKey(each.step), each]),
  );
  return {
    created: new Map(rows.map((row) => [toMapKey(row), row.id])),
    first: new Set(rows.filter((row) => row.first).map(toMapKey)),
    enqueued: inState("queued").map(({ id, epoch, queue, stage, key, lane, underShare }) => {
      const place = { lane: toJobLane(lane), underShare, shareDue: false, overflow: false };
      return { id, epoch, queue, stage, key, ...place };
    }),
    started: started.map((row) => toStarted(row, wantedBy.get(toMapKey(row)))),
  };
}

function toStarted(row: InsertedRow, wanted: Wanted | undefined): StartedJob {
  const { id, epoch, queue, stage, key, lane } = row;
  return {
    id,
    epoch,
    queue,
    stage,
    key,
    // Through JSON, so that the input is the same as when it is read from the row later.
    input: JSON.parse(JSON.stringify(wanted?.step.input)),
    attempts: 0,
    expiredToken: null,
    lane: toJobLane(lane),
    ageMs: 0,
    requestIds: wanted === undefined ? [] : [wanted.request.id],
    postId: wanted?.request.postId ?? null,
  };
}
