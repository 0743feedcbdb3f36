import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import {
  type HintQueue,
  type HintWorker,
  jobOptions,
  type QueueBackend,
  toWorkerOptions,
} from "./backend.ts";

export interface RedisBackendOptions {
  url: string;
  /** Key prefix, for several installations on one server. */
  prefix: string;
  onError(error: Error): void;
}

/**
 * A connection that owes an answer for this long counts as gone, and another one is opened. Without it the kernel decides
 * when a server that vanished is given up: after a quarter of an hour.
 */
const COMMAND_TIMEOUT_MS = 5_000;
const TRIAL_LIVES_MS = 1_000;
/** The same where BullMQ waits for a job: it asks the server to answer after 10 s at most. */
const BLOCKING_TIMEOUT_MS = 15_000;

export function createRedisBackend({ url, prefix, onError }: RedisBackendOptions): QueueBackend {
  const { producer, consumer } = connect(url, onError);
  return {
    kind: "redis",
    createQueue(name) {
      const options = { connection: producer, prefix, defaultJobOptions: jobOptions };
      const queue: HintQueue = new Queue(name, options);
      queue.on("error", onError);
      return queue;
    },
    createWorker(name, processor, { concurrency }) {
      const options = { ...toWorkerOptions(concurrency), connection: consumer, prefix };
      const worker: HintWorker = new Worker(name, processor, options);
      worker.on("error", onError);
      return worker;
    },
    async add(queue, hints) {
      await queue.addBulk([...hints]);
    },
    async checkWritable() {
      await producer.set(`${prefix}:trial`, "1", "PX", TRIAL_LIVES_MS);
    },
    async close() {
      producer.disconnect();
      consumer.disconnect();
    },
  };
}

/**
 * After a failover the old primary lives on as a replica, and the connection with it. A new connection follows the
 * name of the host to the new primary. The command fails all the same: whoever sent it tries again.
 */
function reconnectOnError(error: Error): boolean {
  return /^(READONLY|MASTERDOWN)/.test(error.message);
}

/** The producer fails fast, so that the dispatcher can return its jobs; the consumer waits for the server for ever. */
function connect(
  url: string,
  onError: (error: Error) => void,
): { producer: Redis; consumer: Redis } {
  const producer = new Redis(url, {
    reconnectOnError,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: COMMAND_TIMEOUT_MS,
  });
  const consumer = new Redis(url, {
    reconnectOnError,
    maxRetriesPerRequest: null,
    socketTimeout: BLOCKING_TIMEOUT_MS,
  });
  producer.on("error", onError);
  consumer.on("error", onError);
  return { producer, consumer };
}
