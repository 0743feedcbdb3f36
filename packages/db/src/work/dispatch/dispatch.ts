import type { DispatchedJob, JobRef, Lane, Overflow, QueueName } from "@clipmill/domain";
import type { Queryable } from "../../database.ts";
import {
  BACKFILL_RANK,
  INTERACTIVE_RANK,
  QUARANTINE_RANK,
  STANDARD_RANK,
  toJobLane,
  toLaneRank,
} from "../lane.ts";
import { REFS, toRefColumns } from "./refs.ts";
import { BACKFILL_SHARE, isUnderShare, OVERFLOW_WINDOW, STANDARD_SHARE } from "./shares.ts";
import { dispatched, inMs, RETURNED, toSet } from "../states.ts";

const QUEUE = "$1";
const WINDOW = "$2::int";
const QUEUED_FOR_MS = "$3";
const OVERFLOW_ALLOWED = "$4::int";
const OVERFLOW_MADE = "$5::int";
const LOWEST = "$6::int";
const ROOM = { inFlight: "room.in_flight", tenants: "room.tenants" };

/**
 * How many jobs of a lane its guaranteed share brings forward. Rounded at random, so that the share holds on average.
 */
const due = (share: number) => `floor((room.jobs + ${OVERFLOW_MADE}) * ${share} + room.chance)`;

/**
 * ready → queued. Within a lane, the tenant with the fewest jobs in flight for its weight goes first, then the oldest
 * job. Shares of lanes are rounded at random: with room for one job, rounding down would starve the lower lanes, and
 * rounding up the higher ones. Jobs in quarantine are dispatched one at a time. Interactive jobs and jobs under share
 * may overflow a full window, as often as the caller allows: once for each job that was dispatched within the window.
 * So jobs that others overtake again and again fill the window in the end, and then nothing overflows until they are
 * claimed.
 */
const DISPATCH = `
with recursive
-- Each lane and tenant that has ready jobs: one index lookup each, however many jobs are ready.
lane_tenant as (
  (select j.lane, j.tenant from stage_job j where j.queue = ${QUEUE} and j.run_at is not null and j.lane <= ${LOWEST}
   order by j.lane, j.tenant limit 1)
  union all
  select n.lane, n.tenant from lane_tenant g cross join lateral (
    select j.lane, j.tenant from stage_job j
    where j.queue = ${QUEUE} and j.run_at is not null and (j.lane, j.tenant) > (g.lane, g.tenant) and j.lane <= ${LOWEST}
    order by j.lane, j.tenant limit 1) n
),
-- What each tenant has queued and running in this queue.
in_flight as materialized (
  select tenant, count(*) as jobs, count(*) filter (where state = 'queued') as queued,
    bool_or(lane = ${QUARANTINE_RANK}) as quarantined
  from stage_job where queue = ${QUEUE} and in_flight group by tenant
),
-- How many more jobs the window takes, and how many may overflow it. One value of \`chance\` serves the whole
-- statement.
room as materialized (
  select greatest(0, ${WINDOW} - coalesce(sum(queued), 0))::int as jobs,
    greatest(0, least(${OVERFLOW_ALLOWED}, ceil(${WINDOW} * ${OVERFLOW_WINDOW}) - greatest(${WINDOW}, coalesce(sum(queued), 0))))::int as overflow,
    random() as chance, coalesce(bool_or(quarantined), false) as quarantined,
    coalesce(sum(jobs), 0) as in_flight, count(*) as tenants
  from in_flight
),
-- Each lane and tenant with its weight and cap, and whether the tenant is under its share now.
share as (
  select g.lane, g.tenant, coalesce(t.weight, 1) as weight, t.max_in_flight, coalesce(f.jobs, 0) as in_flight,
    ${isUnderShare("coalesce(f.jobs, 0)", ROOM)} as under_share
  from room, lane_tenant g left join tenant t on t.id = g.tenant left join in_flight f on f.tenant = g.tenant
),
-- The oldest ready jobs of each lane and tenant, no more than could be dispatched. For under_share and place, each one
-- counts as in flight for the next one of its tenant.
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
-- \`turn\` is the lane that a job is ordered by: its own, or 0, before all others, if its lane's share is due.
placed as (
  select c.*, case
      when lane = ${STANDARD_RANK} and place <= ${due(STANDARD_SHARE)} then 0
      when lane = ${BACKFILL_RANK} and place <= ${due(BACKFILL_SHARE)} then 0
      else lane end as turn
  from candidate c, room
),
-- All candidates in order, within their tenants' caps. \`behind\` is the place after the end of the window: above 0,
-- there is no room.
ranked as (
  select c.id, c.lane, c.under_share, row_number() over (order by c.turn, c.place) - room.jobs as behind,
    c.turn < c.lane and c.lane > min(c.lane) filter (where c.lane > ${QUARANTINE_RANK}) over () as share_due
  from room, placed c
  where (c.lane > ${QUARANTINE_RANK} or (c.place = 1 and not room.quarantined)) and (c.cap is null or c.nth_of_tenant <= c.cap)
),
-- The jobs for which there is room, and those that overflow the window.
chosen as (
  select id, under_share, share_due, false as overflow from ranked where behind <= 0
  union all
  (select id, under_share, share_due, true from ranked
   where behind > 0 and (under_share or lane = ${INTERACTIVE_RANK}) and lane > ${QUARANTINE_RANK}
   order by behind limit (select overflow from room))
),
-- Locked in id order. Rows that another transaction has locked are left for the next dispatch.
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

/** A dispatcher that is silent for this long while it holds the lock was cut off, or hangs. */
const TURN_IDLE_MS = 2_000;

/** Only one dispatcher of a queue at a time: two that count the room at once would both fill it. Others get nothing. */
export async function dispatchJobs(
  tx: Queryable,
  queue: QueueName,
  {
    window,
    overflow = NO_OVERFLOW,
    lowest = "backfill",
  }: { window: number; overflow?: Overflow; lowest?: Lane },
  queuedForMs: number,
): Promise<DispatchedJob[]> {
  const lock = await tx.query<{ mine: boolean }>({
    name: "dispatch_turn",
    // A dispatcher that is cut off in mid-transaction loses the lock after this, not after the pool's longer limit.
    text: `select pg_try_advisory_xact_lock(hashtextextended('clipmill dispatch ' || $1, 0)) as mine,
        set_config('idle_in_transaction_session_timeout', '${TURN_IDLE_MS}', true)`,
    values: [queue],
  });
  if (lock.rows[0]?.mine !== true) return [];
  const { rows } = await tx.query<Omit<DispatchedJob, "lane"> & { lane: number }>({
    name: "dispatch_stage_jobs",
    text: DISPATCH,
    values: [queue, window, queuedForMs, overflow.allowed, overflow.made, toLaneRank(lowest)],
  });
  return rows.map((row) => ({ ...row, lane: toJobLane(row.lane) }));
}

/** queued → ready, in its old place. The hint could not be delivered, so no worker will claim this epoch. */
export async function returnJobs(tx: Queryable, refs: readonly JobRef[]): Promise<void> {
  await tx.query({
    name: "return_stage_jobs",
    text: `update stage_job j set ${toSet(RETURNED)}
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'queued'`,
    values: toRefColumns(refs),
  });
}
