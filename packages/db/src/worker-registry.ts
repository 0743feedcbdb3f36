import type { Database } from "./database.ts";
import type { QueueName } from "@clipmill/domain";

/** Which worker processes are alive and what they can do. */
export interface WorkerRegistry {
  /** Called every few seconds; a worker that stops counts as gone after 15 s. */
  report(worker: {
    id: string;
    queues: readonly QueueName[];
    engines: readonly string[];
  }): Promise<void>;
  remove(id: string): Promise<void>;
  /** Queues that some live worker drains. */
  findDrainedQueues(): Promise<QueueName[]>;
}

export function createWorkerRegistry({ pool }: Pick<Database, "pool">): WorkerRegistry {
  return {
    async report({ id, queues, engines }) {
      await pool.query(
        `insert into worker_process (id, queues, engines) values ($1, $2, $3)
         on conflict (id) do update set queues = excluded.queues, engines = excluded.engines, seen_at = now()`,
        [id, queues, engines],
      );
      await pool.query("delete from worker_process where seen_at < now() - interval '1 hour'");
    },

    async remove(id) {
      await pool.query("delete from worker_process where id = $1", [id]);
    },

    async findDrainedQueues() {
      const { rows } = await pool.query<{ queue: QueueName }>(
        `select distinct unnest(queues) as queue from worker_process where seen_at > now() - interval '15 seconds'`,
      );
      return rows.map((row) => row.queue);
    },
  };
}
