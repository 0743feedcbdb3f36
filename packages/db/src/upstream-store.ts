import type { PauseCode, UpstreamState, UpstreamStore, UpstreamTally } from "@clipmill/domain";
import type { Database, Queryable } from "./database.ts";

/** With a hundred syncs a second, one in five meets another; ten in a row means that something else is wrong. */
const TRIES = 10;

/**
 * Compare and swap instead of a row lock: a process that is stopped or cut off in the middle holds nobody up.
 * Commits do not wait for the disk, since all of it can be learned again.
 */
export function createUpstreamStore({ pool }: Pick<Database, "pool">): UpstreamStore {
  return {
    async change(id, next) {
      for (let tries = 1; tries <= TRIES; tries++) {
        const { version, state, nowMs } = await read(pool, id);
        const changed = next(state, nowMs);
        if (await write(pool, id, version, changed.state)) return { ...changed, nowMs };
      }
      throw new Error(`the state of an upstream changed ${TRIES} times while it was being changed`);
    },
  };
}

interface Row {
  nowMs: number;
  /** Null, like all that follows: there is no such row. */
  version: number | null;
  nextReservationAtMs: number;
  pace: number;
  paceAtMs: number;
  code: PauseCode | null;
  untilMs: number;
  failedProbes: number;
  probeUntilMs: number | null;
  tallies: UpstreamTally[];
  holders: Record<string, number>;
}

const toMs = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

const READ = `
select ${toMs("clock_timestamp()")} as "nowMs", u.version, ${toMs("u.next_turn_at")} as "nextReservationAtMs",
  u.pace, ${toMs("u.pace_at")} as "paceAtMs", u.pause_code as code, ${toMs("u.paused_until")} as "untilMs",
  u.failed_probes as "failedProbes", ${toMs("u.probe_until")} as "probeUntilMs", u.tallies, u.holders
from (values (1)) as one left join upstream u on u.id = $1`;

async function read(
  tx: Queryable,
  id: string,
): Promise<{ version: number; state: UpstreamState | null; nowMs: number }> {
  const { rows } = await tx.query<Row>({ name: "read_upstream", text: READ, values: [id] });
  const [row] = rows;
  if (row === undefined) throw new Error("the state of an upstream was not read");
  const { nowMs, version, code, untilMs, failedProbes, probeUntilMs, ...rest } = row;
  if (version === null) return { version: 0, state: null, nowMs };
  const { nextReservationAtMs, pace, paceAtMs, tallies, holders } = rest;
  const pause = code === null ? null : { code, untilMs, failedProbes, probeUntilMs };
  return {
    version,
    nowMs,
    state: { nextReservationAtMs, pace, paceAtMs, pause, tallies, holders },
  };
}

const RELAXED = "relaxed as (select set_config('synchronous_commit', 'off', true))";
const at = (place: string) => `to_timestamp(${place}::float8 / 1000)`;
const VALUES = `${at("$3")}, $4::float8, ${at("$5")}, $6::text, ${at("$7")}, $8::smallint, ${at("$9")}, $10::jsonb, $11::jsonb`;
const COLUMNS =
  "next_turn_at, pace, pace_at, pause_code, paused_until, failed_probes, probe_until, tallies, holders";

const INSERT = `with ${RELAXED}
insert into upstream (id, version, ${COLUMNS})
select $1, $2::bigint + 1, ${VALUES} from relaxed
on conflict (id) do nothing`;

const UPDATE = `with ${RELAXED}
update upstream set (version, updated_at, ${COLUMNS}) = (select $2::bigint + 1, now(), ${VALUES} from relaxed)
where id = $1 and version = $2`;

/** False: another process was faster. */
async function write(
  tx: Queryable,
  id: string,
  version: number,
  { nextReservationAtMs, pace, paceAtMs, pause, tallies, holders }: UpstreamState,
): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: version === 0 ? "insert_upstream" : "update_upstream",
    text: version === 0 ? INSERT : UPDATE,
    values: [
      id,
      version,
      nextReservationAtMs,
      pace,
      paceAtMs,
      pause?.code ?? null,
      pause?.untilMs ?? null,
      pause?.failedProbes ?? 0,
      pause?.probeUntilMs ?? null,
      JSON.stringify(tallies),
      JSON.stringify(holders),
    ],
  });
  return rowCount === 1;
}
