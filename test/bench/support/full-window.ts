import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHints, createQueueBackend } from "@clipmill/queue";
import { startProgram } from "./program.ts";
import { type BenchServers, readRedisBytes, withClient } from "./servers.ts";

/** What the queue holds, and all of Redis. */
export interface FullWindow {
  hints: number;
  redisBytes: number;
}

/** The window of a fleet of fifty workers: a thousand slots of `io`. */
const SLOTS = 1_000;
const FULL_FOR_MS = 1_000;
/** Under the minute after which a hint counts as lost. */
const WITHIN_MS = 50_000;

/**
 * Starts a dispatcher as it is deployed, with nobody to drain what it dispatches, until its window is full. Throws where
 * that does not happen within 50 s.
 */
export async function fillWindow(
  { redisUrl }: Pick<BenchServers, "redisUrl">,
  databaseUrl: string,
): Promise<FullWindow> {
  const home = await mkdtemp(join(tmpdir(), "clipmill-bench-"));
  const backend = createQueueBackend({ redisUrl, databaseUrl, prefix: "bench", onError() {} });
  const hints = createHints(backend);
  const worker = await startProgram("worker", {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    QUEUE_PREFIX: "bench",
    CLIPMILL_HOME: home,
    CLIPMILL_ROLES: "dispatch,reconcile",
    IO_CONCURRENCY: String(SLOTS),
  });
  try {
    const waiting = await waitUntilFull(databaseUrl, () => hints.countWaiting("io"));
    return { redisBytes: await readRedisBytes(redisUrl), hints: waiting };
  } finally {
    await worker.stop();
    await hints.close();
    await backend.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** Full: Postgres and Redis count as many, no fewer than there are slots, and no more for a second. */
async function waitUntilFull(
  databaseUrl: string,
  countHints: () => Promise<number>,
): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    let [before, since] = [0, performance.now()];
    for (const until = since + WITHIN_MS; performance.now() < until;) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      const { rows } = await client.query<{ queued: number }>(
        "select count(*)::int as queued from stage_job where in_flight and state = 'queued'",
      );
      const hints = await countHints();
      if (hints !== before) [before, since] = [hints, performance.now()];
      const isSettled = performance.now() - since > FULL_FOR_MS;
      if (isSettled && hints >= SLOTS && hints === rows[0]?.queued) return hints;
    }
    throw new Error(`the window did not fill: ${before} hints`);
  });
}
