import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Config } from "@clipmill/config";
import { createDatabase, createListener, type Database, type Listener } from "@clipmill/db";
import type { Log } from "@clipmill/domain";
import {
  createErrorLog,
  createHints,
  createQueueBackend,
  type Hints,
  type QueueBackend,
} from "@clipmill/queue";

/** What all roles of a worker process share. */
export interface Connections {
  /** Names this process in leases, heartbeats and limits. */
  workerId: string;
  database: Database;
  listener: Listener;
  backend: QueueBackend;
  hints: Hints;
  close(): Promise<void>;
}

export function openConnections(config: Config, log: Log): Connections {
  const onError = createErrorLog(log, "connection error");
  const database = createDatabase({
    url: config.DATABASE_URL ?? "",
    poolSize: config.DATABASE_POOL,
    name: "clipmill-worker",
    onError,
  });
  const listener = createListener({ url: database.url, onError });
  const backend = createQueueBackend({
    redisUrl: config.REDIS_URL,
    databaseUrl: database.url,
    prefix: config.QUEUE_PREFIX,
    onError,
  });
  const hints = createHints(backend);
  return {
    workerId: `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`,
    database,
    listener,
    backend,
    hints,
    async close() {
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
    },
  };
}
