import type { Database } from "@clipmill/db";
import type { QueueBackend } from "@clipmill/queue";
import { Redis } from "ioredis";

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
  await database.pool.query(`truncate ${tables.join(", ")}`);
}
