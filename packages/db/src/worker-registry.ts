import type { Database } from "./database.ts";
import type { QueueName } from "@clipmill/domain";

export interface WorkerReport {
  id: string;
  queues: readonly QueueName[];
  engines: readonly string[];
  /** Jobs that it runs at once, for the queues that it drains. */
  slots: Readonly<Partial<Record<QueueName, number>>>;
}

/** Which worker processes are alive and what they can do. */
export interface WorkerRegistry {
  /** Called every two seconds; a worker that stops counts as gone after 15 s. */
  report(worker: WorkerReport): Promise<void>;
  /**
   * Called every two seconds by whoever dispatches. `troubles`: why hints cannot reach the workers of a queue now, null
   * where they can.
   */
  reportDispatch(troubles: Readonly<Record<QueueName, string | null>>): Promise<void>;
  remove(id: string): Promise<void>;
  /** Slots of all live workers, by queue; a queue that nobody drains is missing. */
  countSlots(): Promise<Partial<Record<QueueName, number>>>;
  /** Ids of the engines that live workers have. Null: there is no live worker. */
  findEngines(): Promise<ReadonlySet<string> | null>;
}

/** Workers that were heard of in this span count as alive. */
export const WORKER_ALIVE = "15 seconds";

/** Reports do not wait for the disk: the next one comes in two seconds. */
const RELAXED = "relaxed as (select set_config('synchronous_commit', 'off', true))";

export function createWorkerRegistry({
  pool,
  reserved = pool,
}: Pick<Database, "pool"> & Partial<Pick<Database, "reserved">>): WorkerRegistry {
  return {
    async report({ id, queues, engines, slots }) {
      await reserved.query({
        name: "report_worker",
        text: `with ${RELAXED},
          reported as (
            insert into worker_process (id, queues, engines, slots)
            select $1::text, $2::text[], $3::text[], $4::jsonb from relaxed
            on conflict (id) do update set queues = excluded.queues, engines = excluded.engines,
              slots = excluded.slots, seen_at = now()),
          -- Written once a second for all workers together: with a thousand of them these few rows would be fought over.
          drained as (
            insert into work_queue as w (queue, drained_at) select queue, now() from unnest($2::text[]) as q (queue) order by queue
            on conflict (queue) do update set drained_at = now()
              where w.drained_at is null or w.drained_at < now() - interval '1 second')
          delete from worker_process where seen_at < now() - interval '1 hour'`,
        values: [id, queues, engines, slots],
      });
    },

    async reportDispatch(troubles) {
      await reserved.query({
        name: "report_dispatch",
        text: `with ${RELAXED}
          insert into work_queue as w (queue, dispatched_at, trouble, trouble_since)
          select queue, now(), trouble, case when trouble is not null then now() end
          from relaxed, unnest($1::text[], $2::text[]) as given (queue, trouble) order by queue
          on conflict (queue) do update set dispatched_at = now(), trouble = excluded.trouble,
            trouble_since = case when excluded.trouble is not null then coalesce(w.trouble_since, now()) end`,
        values: [Object.keys(troubles), Object.values(troubles)],
      });
    },

    async remove(id) {
      await pool.query("delete from worker_process where id = $1", [id]);
    },

    async countSlots() {
      const { rows } = await pool.query<{ queue: QueueName; slots: number }>({
        name: "count_slots",
        text: `select s.key as queue, sum(s.value::int) as slots
         from worker_process w, jsonb_each_text(w.slots) s
         where w.seen_at > now() - interval '${WORKER_ALIVE}'
         group by s.key`,
      });
      return Object.fromEntries(rows.map(({ queue, slots }) => [queue, slots]));
    },

    async findEngines() {
      const { rows } = await pool.query<{ engines: string[] }>({
        name: "find_engines",
        text: `select engines from worker_process where seen_at > now() - interval '${WORKER_ALIVE}'`,
      });
      return rows.length === 0 ? null : new Set(rows.flatMap(({ engines }) => engines));
    },
  };
}
