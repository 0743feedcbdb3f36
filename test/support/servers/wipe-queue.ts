import type { Database } from "@clipmill/db";
import type { QueueBackend } from "@clipmill/queue";
import { Redis } from "ioredis";

const TRIES = 10;
const DEADLOCK_DETECTED = "40P01";

/** The queue forgets everything at once, as a flushed or replaced server does; its migrations stay. */
export async function wipeQueue(
  kind: QueueBackend["kind"],
  { database, redisUrl }: { database: Pick<Database, "pool">; redisUrl: string },
): Promise<void> {
  if (kind === "redis") {
    const redis = new Redis(redisUrl);
    await redis.flushall();
    redis.disconnect();
    return;
  }
  const { rows } = await database.pool.query<{ name: string }>(
    "select format('bullmq.%I', tablename) as name from pg_tables where schemaname = 'bullmq'",
  );
  const tables = rows.map(({ name }) => name).filter((name) => !/migrat|version/.test(name));
  // The queue's workers lock its tables in an order of their own, and Postgres may choose us to give way.
  for (let tries = 1; ; tries++) {
    try {
      await database.pool.query(`truncate ${tables.join(", ")}`);
      return;
    } catch (error) {
      if (tries === TRIES || Reflect.get(Object(error), "code") !== DEADLOCK_DETECTED) throw error;
    }
  }
}
