import {
  createPostgresBackend,
  type Processor,
  Queue,
  runMigrations,
  Worker,
  type WorkerOptions,
} from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";

/** A hint: which job to claim, and the fence it was dispatched under. Ids only; everything else is in Postgres. */
export interface Hint {
  id: number;
  epoch: number;
}

export type HintQueue = Queue<Hint, string, string>;
export type HintWorker = Worker<Hint, string, string>;

/** Where BullMQ keeps its jobs. Both kinds behave alike and pass one contract test. */
export interface QueueBackend {
  readonly kind: "redis" | "postgres";
  createQueue(name: string): HintQueue;
  createWorker(
    name: string,
    processor: Processor<Hint, string, string>,
    options: { concurrency: number },
  ): HintWorker;
  close(): Promise<void>;
}

export interface QueueBackendOptions {
  /** Redis or Valkey; not set: BullMQ's tables in `databaseUrl`. */
  redisUrl?: string | undefined;
  databaseUrl: string;
  /** Key prefix on Redis, for several installations on one server. */
  prefix: string;
  onError(error: Error): void;
}

/** The dashboard's memory. Ids carry the epoch, so what is kept blocks nothing. */
const KEPT = { count: 1_000 };
const LOCK_MS = 60_000;
/** A hint is ids; anything longer is a mistake. */
const HINT_MAX_BYTES = 4_096;

export function createQueueBackend(options: QueueBackendOptions): QueueBackend {
  return options.redisUrl === undefined
    ? createPostgres(options)
    : createRedis(options, options.redisUrl);
}

/** BullMQ's own tables, on a connection of the caller; to be run before ours. */
export async function migrateQueueSchema(client: pg.Client): Promise<void> {
  await runMigrations(client);
}

const jobOptions = {
  attempts: 1,
  removeOnComplete: KEPT,
  removeOnFail: KEPT,
  stackTraceLimit: 0,
  sizeLimit: HINT_MAX_BYTES,
};

function toWorkerOptions(concurrency: number): Omit<WorkerOptions, "connection"> {
  return {
    concurrency,
    lockDuration: LOCK_MS,
    // A stalled hint that comes again claims nothing: its epoch has passed, or its holder is at work.
    maxStalledCount: 1,
    removeOnComplete: KEPT,
    removeOnFail: KEPT,
  };
}

/**
 * A connection that owes an answer for so long has gone silent, and another one is opened. Without this a server that
 * went away without a word is waited for until the kernel gives up, after a quarter of an hour.
 */
const COMMAND_TIMEOUT_MS = 5_000;
/** The same where BullMQ waits for a job: it asks the server to answer after 10 s at most. */
const BLOCKING_TIMEOUT_MS = 15_000;

function createRedis({ prefix, onError }: QueueBackendOptions, url: string): QueueBackend {
  // Producers fail fast, so that the dispatcher can put jobs back; workers wait for the server as long as it takes.
  const producer = new Redis(url, {
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: COMMAND_TIMEOUT_MS,
  });
  const consumer = new Redis(url, {
    maxRetriesPerRequest: null,
    socketTimeout: BLOCKING_TIMEOUT_MS,
  });
  producer.on("error", onError);
  consumer.on("error", onError);
  return {
    kind: "redis",
    createQueue(name) {
      const queue: HintQueue = new Queue(name, {
        connection: producer,
        prefix,
        defaultJobOptions: jobOptions,
      });
      queue.on("error", onError);
      return queue;
    },
    createWorker(name, processor, { concurrency }) {
      const worker: HintWorker = new Worker(name, processor, {
        ...toWorkerOptions(concurrency),
        connection: consumer,
        prefix,
      });
      worker.on("error", onError);
      return worker;
    },
    async close() {
      producer.disconnect();
      consumer.disconnect();
    },
  };
}

/** Each worker keeps one connection of the pool for LISTEN, and there are four queues. */
const POOL_SIZE = 12;

// BullMQ's classes carry their backend in their type; the casts below forget it, as their users do.
function createPostgres({ databaseUrl, onError }: QueueBackendOptions): QueueBackend {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: POOL_SIZE,
    options: "-c search_path=bullmq,public",
    application_name: "clipmill-queue",
    connectionTimeoutMillis: 5_000,
    // The server gives up first, so that nothing is done of which nobody knows.
    statement_timeout: 10_000,
    query_timeout: 12_000,
    // BullMQ relies on it to notice that the connection on which it listens is gone.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  pool.on("error", onError);
  pool.on("connect", (client) => void client.on("error", onError));
  return {
    kind: "postgres",
    createQueue(name) {
      const queue = new Queue(
        name,
        { connection: pool, defaultJobOptions: jobOptions },
        createPostgresBackend,
      );
      queue.on("error", onError);
      return queue as unknown as HintQueue;
    },
    createWorker(name, processor, { concurrency }) {
      const worker = new Worker(
        name,
        processor,
        { ...toWorkerOptions(concurrency), connection: pool },
        createPostgresBackend,
      );
      worker.on("error", onError);
      return worker as unknown as HintWorker;
    },
    close: () => pool.end(),
  };
}
