import type { QueueBackend } from "./backend.ts";
import { createPostgresBackend } from "./postgres-backend.ts";
import { createRedisBackend } from "./redis-backend.ts";

export interface QueueBackendOptions {
  /** Redis or Valkey. Absent: BullMQ's tables in `databaseUrl`. */
  redisUrl?: string | undefined;
  databaseUrl: string;
  /** Key prefix on Redis, for several installations on one server. */
  prefix: string;
  onError(error: Error): void;
}

export function createQueueBackend(options: QueueBackendOptions): QueueBackend {
  const { redisUrl, databaseUrl, prefix, onError } = options;
  return redisUrl === undefined
    ? createPostgresBackend({ databaseUrl, onError })
    : createRedisBackend({ url: redisUrl, prefix, onError });
}
