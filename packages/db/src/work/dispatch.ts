import type { DispatchedJob, JobRef, Overflow, QueueName } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import {
  BACKFILL_RANK,
  INTERACTIVE_RANK,
  QUARANTINE_RANK,
  STANDARD_RANK,
  toJobLane,
} from "./lane.ts";
import { REFS, toRefColumns } from "./refs.ts";
import { BACKFILL_SHARE, isUnderShare, OVERFLOW_WINDOW, STANDARD_SHARE } from "./scheduling.ts";
import { dispatched, inMs, RETURNED, toSet } from "./states.ts";

const QUEUE = "$1";
const WINDOW = "$2::int";
const QUEUED_FOR_MS = "$3";
const OVERFLOW_ALLOWED = "$4::int";
const OVERFLOW_MADE = "$5::int";
const ROOM = { inFlight: "room.in_flight", tenants: "room.tenants" };

/** Places of a lane that its guaranteed share brings to the front; chance rounds, so that the share holds on average. */
const due = (share: number) => `floor((room.jobs + ${OVERFLOW_MADE}) * ${share} + room.chance)`;

/**
 * ready → queued. Within a lane the tenant with the least in flight for its weight is next, then age decides. With room
 * for one job a floor would starve the lanes below and a ceiling those above, so the lanes' shares are kept by chance.
 * What runs in quarantine is dispatched one at a time. Jobs of a tenant under its share, and interactive ones, may
 * overflow a full window, as often as the caller allows: once for each job that was dispatched in its turn. Whoever is
 * overtaken too often thus fills the window, and nothing overflows until they are served.
 */
const DISPATCH = `
with recursive
-- Each lane and tenant with waiting work: one step of the index each, however many rows wait.
lane_tenant as (
  (select j.lane, j.tenant from stage_job j where j.queue = ${QUEUE} and j.run_at is not null
   order by j.lane, j.tenant limit 1)
  union all
  select n.lane, n.tenant from lane_tenant g cross join lateral (
    select j.lane, j.tenant from stage_job j
    where j.queue = ${QUEUE} and j.run_at is not null and (j.lane, j.tenant) > (g.lane, g.tenant)
    order by j.lane, j.tenant limit 1) n
),
-- What each tenant has queued and running in this queue.
in_flight as materialized (
  select tenant, count(*) as jobs, count(*) filter (where state = 'queued') as queued,
    bool_or(lane = ${QUARANTINE_RANK}) as quarantined
  from stage_job where queue = ${QUEUE} and in_flight group by tenant
),
-- How many more jobs the window takes, and how many may overflow it. \`chance\` is the same for the whole statement.
room as materialized (
  select greatest(0, ${WINDOW} - coalesce(sum(queued), 0))::int as jobs,
    greatest(0, least(${OVERFLOW_ALLOWED}, ceil(${WINDOW} * ${OVERFLOW_WINDOW}) - greatest(${WINDOW}, coalesce(sum(queued), 0))))::int as overflow,
    random() as chance, coalesce(bool_or(quarantined), false) as quarantined,
    coalesce(sum(jobs), 0) as in_flight, count(*) as tenants
  from in_flight
),
-- Each lane and tenant with its weight and cap, and whether it is under its share now.
share as (
  select g.lane, g.tenant, coalesce(t.weight, 1) as weight, t.max_in_flight, coalesce(f.jobs, 0) as in_flight,
    ${isUnderShare("coalesce(f.jobs, 0)", ROOM)} as under_share
  from room, lane_tenant g left join tenant t on t.id = g.tenant left join in_flight f on f.tenant = g.tenant
),
-- The oldest jobs of each, no more than could be taken; each counts as in flight for the one behind it.
candidate as (
  select j.id, s.lane, ${isUnderShare("(s.in_flight + j.nth - 1)", ROOM)} as under_share,
    row_number() over (partition by s.lane order by (s.in_flight + j.nth)::float8 / s.weight, j.run_at, j.id) as place,
    row_number() over (partition by s.tenant order by s.lane, j.nth) as nth_of_tenant, s.max_in_flight - s.in_flight as cap
  from room, share s cross join lateral (
    select w.id, w.run_at, row_number() over (order by w.run_at, w.id) as nth
    from (
      select id, run_at from stage_job
      where queue = ${QUEUE} and lane = s.lane and tenant = s.tenant and run_at <= now()
        and (start_by is null or start_by > now())
      order by run_at, id
      limit greatest(0, least(
        room.jobs + case when s.under_share or s.lane = ${INTERACTIVE_RANK} then room.overflow else 0 end,
        s.max_in_flight - s.in_flight))) w) j
),
-- The lane whose turn a job takes: its own, or the first where its lane's share is due.
placed as (
  select c.*, case
      when lane = ${STANDARD_RANK} and place <= ${due(STANDARD_SHARE)} then 0
      when lane = ${BACKFILL_RANK} and place <= ${due(BACKFILL_SHARE)} then 0
      else lane end as turn
  from candidate c, room
),
-- All of them in order, within their tenants' caps; \`behind\` counts from the end of the room.
ranked as (
  select c.id, c.lane, c.under_share, row_number() over (order by c.turn, c.place) - room.jobs as behind,
    c.turn < c.lane and c.lane > min(c.lane) filter (where c.lane > ${QUARANTINE_RANK}) over () as share_due
  from room, placed c
  where (c.lane > ${QUARANTINE_RANK} or (c.place = 1 and not room.quarantined)) and (c.cap is null or c.nth_of_tenant <= c.cap)
),
-- Those for whom there is room, and those that overflow it.
chosen as (
  select id, under_share, share_due, false as overflow from ranked where behind <= 0
  union all
  (select id, under_share, share_due, true from ranked
   where behind > 0 and (under_share or lane = ${INTERACTIVE_RANK}) and lane > ${QUARANTINE_RANK}
   order by behind limit (select overflow from room))
),
-- Locked in id order; a row that somebody else holds is left for the next time.
locked as (
  select j.id, c.under_share, c.share_due, c.overflow
  from (select * from chosen order by id) c join stage_job j on j.id = any (array[c.id])
  where j.state = 'ready'
  for update of j skip locked
)
update stage_job j set ${toSet(dispatched(inMs(QUEUED_FOR_MS)))}
from locked where j.id = any (array[locked.id])
returning j.id, j.epoch, j.queue, j.stage, j.key, j.lane,
  locked.under_share as "underShare", locked.share_due as "shareDue", locked.overflow`;

const NO_OVERFLOW: Overflow = { allowed: 0, made: 0 };

/** A dispatcher that says nothing for so long in its turn was cut off, or stands still. */
const TURN_IDLE_MS = 2_000;

/** Dispatchers of one queue take turns: two that count the room at once would both fill it. */
export async function dispatchJobs(
  tx: Queryable,
  queue: QueueName,
  { window, overflow = NO_OVERFLOW }: { window: number; overflow: Overflow | undefined },
  queuedForMs: number,
): Promise<DispatchedJob[]> {
  const lock = await tx.query<{ mine: boolean }>({
    name: "dispatch_turn",
    // Whoever is cut off in the middle gives the turn up soon, not with the pool's long limit.
    text: `select pg_try_advisory_xact_lock(hashtextextended('clipmill dispatch ' || $1, 0)) as mine,
        set_config('idle_in_transaction_session_timeout', '${TURN_IDLE_MS}', true)`,
    values: [queue],
  });
  if (lock.rows[0]?.mine !== true) return [];
  const { rows } = await tx.query<Omit<DispatchedJob, "lane"> & { lane: number }>({
    name: "dispatch_stage_jobs",
    text: DISPATCH,
    values: [queue, window, queuedForMs, overflow.allowed, overflow.made],
  });
  return rows.map((row) => ({ ...row, lane: toJobLane(row.lane) }));
}

/** queued → ready, in its old place: the hint could not be delivered, so nobody else will claim this epoch. */
export async function returnJobs(tx: Queryable, refs: readonly JobRef[]): Promise<void> {
  await tx.query({
    name: "return_stage_jobs",
    text: `update stage_job j set ${toSet(RETURNED)}
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'queued'`,
    values: toRefColumns(refs),
  });
}
