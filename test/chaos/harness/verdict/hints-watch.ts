import { setTimeout as sleep } from "node:timers/promises";
import { createDatabase } from "@clipmill/db";
import { QUEUE_NAMES } from "@clipmill/domain";
import { createHints, createQueueBackend } from "@clipmill/queue";
import { CHAOS_PREFIX } from "../../processes/arguments.ts";
import type { ChaosServer, QueueServer } from "../servers.ts";

/** What waited, in the fullest queue, at the moment when it was the most. */
export interface Waited {
  /** Hints that nobody had taken. */
  hints: number;
  /** Jobs in Postgres that had no hint. */
  backlog: number;
}

export interface HintsWatch {
  most(): Waited;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 250;

/** Counts what waits in each queue and behind it, past all proxies, for as long as both servers answer. */
export function watchHints(postgres: ChaosServer, { backend, server }: QueueServer): HintsWatch {
  const onError = () => {};
  const database = createDatabase({ url: postgres.url, poolSize: 1, name: "chaos-watch", onError });
  const queue = createQueueBackend({
    redisUrl: backend === "redis" ? server.url : undefined,
    databaseUrl: server.url,
    prefix: CHAOS_PREFIX,
    onError,
  });
  const hints = createHints(queue);
  const most: Waited = { hints: 0, backlog: 0 };
  const stop = new AbortController();

  async function look(): Promise<void> {
    const counts = await Promise.all(QUEUE_NAMES.map((name) => hints.countWaiting(name)));
    most.hints = Math.max(most.hints, ...counts);
    const { rows } = await database.pool.query<{ count: number }>(
      "select count(*)::int as count from stage_job where state = 'ready' and run_at <= now() group by queue",
    );
    most.backlog = Math.max(most.backlog, ...rows.map(({ count }) => count));
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await look().catch(onError);
      await sleep(LOOK_EVERY_MS, undefined, { signal: stop.signal }).catch(onError);
    }
  }

  const loop = run();
  return {
    most: () => ({ ...most }),
    async close() {
      stop.abort();
      await loop;
      await hints.close().catch(onError);
      await queue.close();
      await database.close();
    },
  };
}
