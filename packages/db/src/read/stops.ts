import { QUEUE_NAMES, type QueueName, type WaitingReason } from "@clipmill/domain";
import type { Queryable } from "../database.ts";

/** Why no job of a queue, or of a tenant, can start now. */
export interface Stop {
  reason: Extract<WaitingReason, "no_worker" | "tenant_stopped">;
  message: string;
  /** How long it has been so, in ms. Infinity: it was never otherwise, or nobody knows since when. */
  forMs: number;
}

export interface Stops {
  queues: ReadonlyMap<string, Stop>;
  tenants: ReadonlyMap<string, Stop>;
}

/** Processes report every 2 s. Whoever was not heard of for longer than this does not work. */
const SILENT_MS = 5_000;

interface QueueRow {
  queue: QueueName;
  drainedMsAgo: number | null;
  dispatchedMsAgo: number | null;
  trouble: string | null;
  troubleForMs: number | null;
}

const ago = (moment: string) => `(extract(epoch from now() - ${moment}) * 1000)::float8`;

/** Queues that nobody serves now, and tenants that may run nothing. */
export async function findStops(tx: Queryable): Promise<Stops> {
  const { rows: queues } = await tx.query<QueueRow>({
    name: "find_queue_stops",
    text: `with
      -- When each queue was last drained, as workers of 0.1 report it.
      live as (select unnest(queues) as queue, max(seen_at) as seen_at from worker_process group by 1)
      select q.queue, ${ago("greatest(w.drained_at, live.seen_at)")} as "drainedMsAgo",
        ${ago("w.dispatched_at")} as "dispatchedMsAgo", w.trouble, ${ago("w.trouble_since")} as "troubleForMs"
      from unnest($1::text[]) as q (queue) left join work_queue w on w.queue = q.queue
        left join live on live.queue = q.queue`,
    values: [QUEUE_NAMES],
  });
  const { rows: tenants } = await tx.query<{ id: string }>({
    name: "find_stopped_tenants",
    text: "select id from tenant where max_in_flight <= 0",
  });
  return {
    queues: new Map(queues.flatMap((row) => toStop(row) ?? [])),
    tenants: new Map(tenants.map(({ id }) => [id, TENANT_STOP])),
  };
}

const TENANT_STOP: Stop = {
  reason: "tenant_stopped",
  message: "the tenant may have no job in flight",
  forMs: Infinity,
};

function toStop(row: QueueRow): [[string, Stop]] | null {
  const { queue, drainedMsAgo, dispatchedMsAgo, trouble, troubleForMs } = row;
  const stop = (message: string, forMs: number): [[string, Stop]] => [
    [queue, { reason: "no_worker", message, forMs }],
  ];
  if (drainedMsAgo === null || drainedMsAgo > SILENT_MS)
    return stop(`no running worker drains the queue ${queue}`, drainedMsAgo ?? Infinity);
  // Null: only workers of 0.1 dispatch, which do not say so.
  if (dispatchedMsAgo !== null && dispatchedMsAgo > SILENT_MS)
    return stop(`no running process dispatches the queue ${queue}`, dispatchedMsAgo);
  if (trouble !== null) return stop(trouble, troubleForMs ?? 0);
  return null;
}

/** As `findStops`, at most once a second for all callers together. */
export function createStopReader(tx: Queryable): { find(): Promise<Stops> } {
  let found: { untilMs: number; stops: Promise<Stops> } | null = null;
  return {
    find() {
      if (found !== null && performance.now() < found.untilMs) return found.stops;
      const stops = findStops(tx);
      found = { untilMs: performance.now() + REUSED_MS, stops };
      stops.catch(() => {
        found = null;
      });
      return stops;
    },
  };
}

const REUSED_MS = 1_000;
