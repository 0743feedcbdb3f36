import { createPostgresBackend as createBullBackend, Queue, runMigrations, Worker } from "bullmq";
import pg from "pg";
import {
  type HintQueue,
  type HintWorker,
  jobOptions,
  type QueueBackend,
  toWorkerOptions,
} from "./backend.ts";

export interface PostgresBackendOptions {
  databaseUrl: string;
  onError(error: Error): void;
}

/** Each worker keeps one connection of the pool for LISTEN, and there are four queues. */
const POOL_SIZE = 12;
/** A new connection compiles BullMQ's functions and plans what is in them, which takes longer than a hundred calls. */
const IDLE_CONNECTION_MS = 60_000;

/**
 * So many hints are added one by one. BullMQ adds a list by means of two temporary tables: 4 ms of the server's CPU for
 * any number of hints, and dead rows in its catalogue, where a hint of its own takes 0.7 ms.
 */
const SINGLES_MAX = 3;

/**
 * BullMQ's statements find few rows of its queue by index, whatever their parameters: they are planned once a connection,
 * not once a call. Compiling takes longer than they run.
 */
const OPTIONS = "-c search_path=bullmq,public -c plan_cache_mode=force_generic_plan -c jit=off";

/** Creates BullMQ's own tables, on a connection of the caller; must run before our migrations. */
export async function migrateQueueSchema(client: pg.Client): Promise<void> {
  await runMigrations(client);
}

// BullMQ's classes have their backend in their type. The casts drop it: users of a queue need not know its backend.
export function createPostgresBackend(options: PostgresBackendOptions): QueueBackend {
  const { onError } = options;
  const pool = createPool(options);
  return {
    kind: "postgres",
    createQueue(name) {
      const ofPool = { connection: pool, defaultJobOptions: jobOptions };
      const queue = new Queue(name, ofPool, createBullBackend);
      queue.on("error", onError);
      return queue as unknown as HintQueue;
    },
    createWorker(name, processor, { concurrency }) {
      const ofPool = { ...toWorkerOptions(concurrency), connection: pool };
      const worker = new Worker(name, processor, ofPool, createBullBackend);
      worker.on("error", onError);
      return worker as unknown as HintWorker;
    },
    async add(queue, hints) {
      if (hints.length > SINGLES_MAX) await queue.addBulk([...hints]);
      else for (const { name, data, opts } of hints) await queue.add(name, data, opts);
    },
    async checkWritable() {
      // Nothing is written: one server holds queue and record, and the record's own check asks whether it takes writes.
      await pool.query("select from bullmq.migration limit 0");
    },
    close: () => pool.end(),
  };
}

function createPool({ databaseUrl, onError }: PostgresBackendOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: POOL_SIZE,
    options: OPTIONS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    application_name: "clipmill-queue",
    // A busy machine takes seconds to begin a connection; one that is given up too early is only asked for again.
    connectionTimeoutMillis: 15_000,
    // Shorter than the client's limit, so that the server does not finish a statement which the client gave up.
    statement_timeout: 10_000,
    query_timeout: 12_000,
    // BullMQ relies on it to notice that the connection on which it listens is gone.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  pool.on("error", onError);
  pool.on("connect", (client) => void client.on("error", onError));
  return pool;
}
