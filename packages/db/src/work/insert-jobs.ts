import { type PickedJob, QUEUE_NAMES, type QueueName } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { toMapKey, type Wanted } from "./advancing-request.ts";
import { toJobLane } from "./lane.ts";

/**
 * Whether a new job may be queued at once instead of waiting for a dispatcher: its queue must have room in this
 * window and nothing ready, so that no lane or tenant is passed, and its tenant no cap, which dispatchers count. Saves a row version and a round through the
 * dispatcher for each stage after the first. A window of 0 hands nothing off.
 */
export interface HandOff {
  window: Readonly<Record<QueueName, number>>;
  queuedForMs: number;
}

/** For those who push no hints: the dispatcher finds what they store. */
export const NO_HAND_OFF: HandOff = { window: { io: 0, gpu: 0, cpu: 0, llm: 0 }, queuedForMs: 0 };

/** Stores the jobs whose key is new; returns their ids by map key, and those that are queued already. */
export async function insertJobs(
  tx: Queryable,
  wanted: readonly Wanted[],
  { window, queuedForMs }: HandOff,
): Promise<{ created: Map<string, number>; handedOff: PickedJob[] }> {
  // The limit keeps `not exists` from becoming a join, which may read all that is ready to find that nothing is.
  const { rows } = await tx.query<{
    id: number;
    stage: string;
    key: string;
    queue: QueueName;
    lane: number;
    epoch: number;
    ahead: boolean;
  }>({
    name: "insert_stage_jobs",
    text: `with asked as (
        select q.queue, q.size from unnest($7::text[], $8::bigint[]) as q (queue, size)
        where q.size > 0 and q.queue = any ($3::text[])
          and (select j.id from stage_job j where j.queue = q.queue and j.run_at is not null limit 1) is null),
      in_flight as materialized (
        select a.queue, a.size, j.tenant, count(j.id) as jobs, count(j.id) filter (where j.state = 'queued') as queued
        from asked a left join stage_job j on j.queue = any (array[a.queue]) and j.in_flight
        group by a.queue, a.size, j.tenant),
      room as materialized (
        select queue, size - sum(queued) as jobs, sum(jobs) as in_flight, count(*) as tenants
        from in_flight group by queue, size),
      capped as materialized (
        select t.id from tenant t where t.id = any ($5::text[]) and t.max_in_flight is not null),
      wanted as (
        select w.*, coalesce(row_number() over (partition by w.queue order by w.lane, w.stage, w.key) <= room.jobs, false)
          and (w.start_by is null or w.start_by > now())
          and w.tenant <> all (array(select id from capped)) as at_once
        from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[], $10::timestamptz[])
          as w (stage, key, queue, lane, tenant, input, start_by)
        left join room on room.queue = w.queue)
      insert into stage_job (stage, key, queue, lane, tenant, input, start_by, state, epoch, run_at, deadline)
      select stage, key, queue, lane, tenant, input::jsonb, start_by,
        case when at_once then 'queued' else 'ready' end, case when at_once then 1 else 0 end,
        case when at_once then null else now() end,
        case when at_once then now() + make_interval(secs => $9::float8 / 1000) end
      from wanted order by stage, key
      on conflict (stage, key) do nothing
      returning id, stage, key, queue, lane, epoch, coalesce((
        select f.jobs * 2 * room.tenants <= room.in_flight from in_flight f join room on room.queue = f.queue
        where f.queue = stage_job.queue and f.tenant = stage_job.tenant), true) as ahead`,
    values: [
      wanted.map(({ step }) => step.stage),
      wanted.map(({ step }) => step.key),
      wanted.map(({ step }) => step.queue),
      wanted.map(({ request }) => request.lane),
      wanted.map(({ request }) => request.tenant),
      wanted.map(({ step }) => JSON.stringify(step.input)),
      QUEUE_NAMES,
      QUEUE_NAMES.map((queue) => window[queue]),
      queuedForMs,
      wanted.map(({ request }) => request.deadline),
    ],
  });
  return {
    created: new Map(rows.map((row) => [toMapKey(row), row.id])),
    handedOff: rows
      .filter((row) => row.epoch > 0)
      .map((row) => ({ ...row, lane: toJobLane(row.lane), owed: false, passing: false })),
  };
}
