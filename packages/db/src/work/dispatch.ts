import type { ClaimedJob, JobRef, Overflow, DispatchedJob, QueueName } from "@clipmill/domain";
import type { Queryable } from "../database.ts";
import { INTERACTIVE_RANK, QUARANTINE_RANK, toJobLane } from "./lane.ts";

/** Waiting work of the lanes below `interactive` keeps these shares of what is dispatched. */
const STANDARD_SHARE = 0.3;
const BACKFILL_SHARE = 0.1;
/** With those that pass it, a window holds at most so many times its size. */
const OVERFLOW_WINDOW = 4 / 3;

/**
 * ready → queued. Within a lane the tenant with the least in flight for its weight is next, then age decides. The shares
 * are kept on average: with room for one job, a floor would starve the lanes below and a ceiling would starve those
 * above, so chance rounds. `quarantine` goes one at a time. `ahead` are jobs of a tenant with less than half of a fair share
 * in flight. They and the `interactive` ones may pass a full window, as often as the caller allows: each time that the
 * others were picked. Whoever is passed too often thus fills the window, which ends the passing until they are served.
 * `owed` are those that their lane's share brought before a better lane.
 */
const DISPATCH = `
with recursive lane_tenant as (
  (select j.lane, j.tenant from stage_job j where j.queue = $1 and j.run_at is not null
   order by j.lane, j.tenant limit 1)
  union all
  select n.lane, n.tenant from lane_tenant g cross join lateral (
    select j.lane, j.tenant from stage_job j
    where j.queue = $1 and j.run_at is not null and (j.lane, j.tenant) > (g.lane, g.tenant)
    order by j.lane, j.tenant limit 1) n
), in_flight as materialized (
  select tenant, count(*) as jobs, count(*) filter (where state = 'queued') as queued, bool_or(lane = 0) as solo
  from stage_job where queue = $1 and in_flight group by tenant
), room as materialized (
  select greatest(0, $2::int - coalesce(sum(queued), 0))::int as jobs,
    greatest(0, least($4::int, ceil($2::int * ${OVERFLOW_WINDOW}) - greatest($2::int, coalesce(sum(queued), 0))))::int as passing,
    random() as chance, coalesce(bool_or(solo), false) as solo, coalesce(sum(jobs), 0) as in_flight, count(*) as tenants
  from in_flight
), share as (
  select g.lane, g.tenant, coalesce(t.weight, 1) as weight, t.max_in_flight, coalesce(f.jobs, 0) as in_flight,
    coalesce(f.jobs, 0) * 2 * greatest(1, room.tenants) <= room.in_flight as ahead
  from room, lane_tenant g left join tenant t on t.id = g.tenant left join in_flight f on f.tenant = g.tenant
), candidate as (
  select j.id, s.lane, (s.in_flight + j.nth - 1) * 2 * greatest(1, room.tenants) <= room.in_flight as ahead,
    row_number() over (partition by s.lane order by (s.in_flight + j.nth)::float8 / s.weight, j.run_at, j.id) as place,
    row_number() over (partition by s.tenant order by s.lane, j.nth) as nth_of_tenant, s.max_in_flight - s.in_flight as cap
  from room, share s cross join lateral (
    select w.id, w.run_at, row_number() over (order by w.run_at, w.id) as nth
    from (
      select id, run_at from stage_job
      where queue = $1 and lane = s.lane and tenant = s.tenant and run_at <= now()
        and (start_by is null or start_by > now())
      order by run_at, id
      limit greatest(0, least(
        room.jobs + case when s.ahead or s.lane = ${INTERACTIVE_RANK} then room.passing else 0 end,
        s.max_in_flight - s.in_flight))) w) j
), ranked as (
  select c.id, c.lane, c.ahead, row_number() over (order by c.turn, c.place) - room.jobs as behind,
    c.turn < c.lane and c.lane > min(c.lane) filter (where c.lane > ${QUARANTINE_RANK}) over () as owed
  from room, (
    select *, case
      when lane = 2 and place <= floor((room.jobs + $5::int) * ${STANDARD_SHARE} + room.chance) then 0
      when lane = 3 and place <= floor((room.jobs + $5::int) * ${BACKFILL_SHARE} + room.chance) then 0
      else lane end as turn
    from candidate, room) c
  where (c.lane > ${QUARANTINE_RANK} or (c.place = 1 and not room.solo)) and (c.cap is null or c.nth_of_tenant <= c.cap)
), chosen as (
  select id, ahead, owed, false as passing from ranked where behind <= 0
  union all
  (select id, ahead, owed, true from ranked where behind > 0 and (ahead or lane = ${INTERACTIVE_RANK}) and lane > ${QUARANTINE_RANK}
   order by behind limit (select passing from room))
), locked as (
  select j.id, c.ahead, c.owed, c.passing from (select * from chosen order by id) c join stage_job j on j.id = any (array[c.id])
  where j.state = 'ready'
  for update of j skip locked
)
update stage_job j
set state = 'queued', epoch = j.epoch + 1, run_at = null, deadline = now() + make_interval(secs => $3::float8 / 1000)
from locked where j.id = any (array[locked.id])
returning j.id, j.epoch, j.queue, j.stage, j.key, j.lane, locked.ahead as "underShare", locked.owed as "shareDue", locked.passing as "overflow"`;

/**
 * Rows are found one by one from this list by their primary key, so they are locked in id order, as every writer locks
 * them.
 */
const REFS =
  "(select * from unnest($1::bigint[], $2::integer[]) as r (id, epoch) order by r.id) ref";

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
    text: `update stage_job j set state = 'ready', run_at = j.created_at, deadline = null
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'queued'`,
    values: [refs.map((r) => r.id), refs.map((r) => r.epoch)],
  });
}

/** queued → running, for those whose epoch is still current. Those that run alone have not started yet: see `startAlone`. */
export async function claimJobs(
  tx: Queryable,
  refs: readonly JobRef[],
  workerId: string,
  leaseMs: number,
): Promise<ClaimedJob[]> {
  const { rows } = await tx.query<Omit<ClaimedJob, "lane"> & { lane: number }>({
    name: "claim_stage_jobs",
    text: `update stage_job j set state = 'running', worker_id = $3, started_at = case when j.lane <> ${QUARANTINE_RANK} then now() end,
        deadline = now() + make_interval(secs => $4::float8 / 1000)
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'queued'
        and (j.start_by is null or j.start_by > now())
      returning j.id, j.epoch, j.stage, j.key, j.input, j.attempts, j.lane,
        greatest(0, extract(epoch from now() - j.created_at) * 1000)::float8 as "ageMs"`,
    values: [refs.map((r) => r.id), refs.map((r) => r.epoch), workerId, leaseMs],
  });
  return rows.map((row) => ({ ...row, lane: toJobLane(row.lane) }));
}

/** Marks a running job as started. False where it is no longer the caller's. */
export async function startAlone(tx: Queryable, { id, epoch }: JobRef): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: "start_alone",
    text: "update stage_job set started_at = now() where id = $1 and epoch = $2 and state = 'running'",
    values: [id, epoch],
  });
  return rowCount === 1;
}

/** Moves the deadlines of running jobs on; what is missing from the answer is no longer the caller's. */
export async function extendLeases(
  tx: Queryable,
  refs: readonly JobRef[],
  leaseMs: number,
): Promise<JobRef[]> {
  const { rows } = await tx.query<JobRef>({
    name: "extend_leases",
    text: `update stage_job j set deadline = now() + make_interval(secs => $3::float8 / 1000)
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'running'
      returning j.id, j.epoch`,
    values: [refs.map((r) => r.id), refs.map((r) => r.epoch), leaseMs],
  });
  return rows;
}

/** The same for jobs whose outcome is on its way: what the transaction that stores it has locked is passed over. */
export async function extendSettling(
  tx: Queryable,
  refs: readonly JobRef[],
  leaseMs: number,
): Promise<void> {
  await tx.query({
    name: "extend_settling",
    text: `with free as (
        select id from stage_job where id = any ($1::bigint[]) order by id for update skip locked)
      update stage_job j set deadline = now() + make_interval(secs => $3::float8 / 1000)
      from ${REFS} where j.id = any (array[ref.id]) and j.epoch = ref.epoch and j.state = 'running'
        and ref.id = any (array(select id from free))`,
    values: [refs.map((r) => r.id), refs.map((r) => r.epoch), leaseMs],
  });
}
