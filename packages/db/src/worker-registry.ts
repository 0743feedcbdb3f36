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
  /** Called every few seconds; a worker that stops counts as gone after 15 s. */
  report(worker: WorkerReport): Promise<void>;
  remove(id: string): Promise<void>;
  /** Slots of all live workers, by queue; a queue that nobody drains is missing. */
  countSlots(): Promise<Partial<Record<QueueName, number>>>;
}

/** Workers that were heard of in this span count as alive. */
export const WORKER_ALIVE = "15 seconds";

export function createWorkerRegistry({
  pool,
  reserved = pool,
}: Pick<Database, "pool"> & Partial<Pick<Database, "reserved">>): WorkerRegistry {
  return {
    async report({ id, queues, engines, slots }) {
      await reserved.query(
        `insert into worker_process (id, queues, engines, slots) values ($1, $2, $3, $4)
         on conflict (id) do update set queues = excluded.queues, engines = excluded.engines,
           slots = excluded.slots, seen_at = now()`,
        [id, queues, engines, slots],
      );
      await reserved.query("delete from worker_process where seen_at < now() - interval '1 hour'");
    },

    async remove(id) {
      await pool.query("delete from worker_process where id = $1", [id]);
    },

    async countSlots() {
      const { rows } = await pool.query<{ queue: QueueName; slots: number }>(
        `select s.key as queue, sum(s.value::int) as slots
         from worker_process w, jsonb_each_text(w.slots) s
         where w.seen_at > now() - interval '${WORKER_ALIVE}'
         group by s.key`,
      );
      return Object.fromEntries(rows.map(({ queue, slots }) => [queue, slots]));
    },
  };
}
