import { isWaitingReason, QUEUE_NAMES, toAdvice, type WaitingReason } from "@clipmill/domain";
import type { Database } from "../database.ts";
import { findStops } from "./stops.ts";

/** Jobs of one queue that wait for the same. */
export interface WaitingGroup {
  queue: string;
  reason: WaitingReason;
  message: string;
  advice: string;
  needsPerson: boolean;
  /** Counted up to 1,000. 0: the queue is stopped, and has no job now. */
  count: number;
  /** ISO time; null if nobody knows. */
  since: string | null;
}

/** What work waits for, for operators. */
export interface WaitingReader {
  findGroups(): Promise<WaitingGroup[]>;
}

/** Jobs looked at, the longest-waiting first. */
const LOOKED_AT_MAX = 1_000;

export function createWaitingReader({ pool }: Pick<Database, "pool">): WaitingReader {
  return {
    async findGroups() {
      const [stops, putOff, ready] = await Promise.all([
        findStops(pool),
        findPutOff(pool),
        countReady(pool),
      ]);
      const stopped = [...stops.queues].map(([queue, { reason, message, forMs }]) => ({
        queue,
        reason,
        message,
        ...toAdvice(reason),
        count: ready.get(queue) ?? 0,
        since: Number.isFinite(forMs) ? new Date(Date.now() - forMs).toISOString() : null,
      }));
      return [...stopped, ...putOff];
    },
  };
}

async function findPutOff(pool: Database["pool"]): Promise<WaitingGroup[]> {
  const { rows } = await pool.query<{
    queue: string;
    code: string | null;
    message: string | null;
    count: number;
    since: string;
  }>({
    name: "group_put_off",
    text: `select queue, error_code as code, error_message as message, count(*)::int as count,
        to_json(min(put_off_since)) #>> '{}' as since
      from (
        select queue, error_code, error_message, put_off_since
        from unnest(array[0, 1, 2, 3]::smallint[]) as l (rank) cross join lateral (
          select * from stage_job where lane = l.rank and run_at is not null and put_off_since is not null
          order by put_off_since limit ${LOOKED_AT_MAX}) j) looked_at
      group by 1, 2, 3 order by min(put_off_since)`,
  });
  return rows.flatMap(({ queue, code, message, count, since }) => {
    if (!isWaitingReason(code)) return [];
    const facts = { queue, count, since: new Date(since).toISOString() };
    return { ...facts, reason: code, message: message ?? "", ...toAdvice(code) };
  });
}

async function countReady(pool: Database["pool"]): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ queue: string; count: number }>({
    name: "count_unserved",
    text: `select q.queue, (select count(*)::int from (
        select 1 from stage_job where queue = q.queue and run_at <= now() limit ${LOOKED_AT_MAX}) n) as count
      from unnest($1::text[]) as q (queue)`,
    values: [QUEUE_NAMES],
  });
  return new Map(rows.map(({ queue, count }) => [queue, count]));
}
