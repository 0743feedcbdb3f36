import { type Config, ConfigError } from "@clipmill/config";
import { createDashboard } from "@clipmill/dashboard";
import {
  countJobs,
  createBackfillStore,
  createDatabase,
  createDeadLetter,
  createListener,
  createPostReader,
  createRequestReader,
  createWorkerRegistry,
  createWorkStore,
  findRecentRequests,
} from "@clipmill/db";
import { QUEUE_NAMES, type Recipes } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { toRecipes } from "@clipmill/providers";
import { createErrorLog, createHints, createQueueBackend, type Hints } from "@clipmill/queue";
import type { FastifyBaseLogger } from "fastify";
import manifest from "../../../package.json" with { type: "json" };
import { buildApp } from "./app.ts";

/** The API only accepts and reads, so leases and windows are the workers' business. */
const UNUSED_MS = 60_000;
const RECENT_COUNT = 20;
const DEFAULT_PORT = 4600;

/** Wires the API to its database and queues and listens. */
export async function serveApi(
  config: Config,
  databaseUrl: string,
  log: FastifyBaseLogger,
): Promise<{ url: string; close(): Promise<void> }> {
  const onError = createErrorLog(log, "connection error");
  const database = createDatabase({
    url: databaseUrl,
    poolSize: config.DATABASE_POOL,
    name: "clipmill-api",
    onError,
  });
  const listener = createListener({ url: databaseUrl, onError });
  const backend = createQueueBackend({
    redisUrl: config.REDIS_URL,
    databaseUrl,
    prefix: config.QUEUE_PREFIX,
    onError,
  });
  const hints = createHints(backend);
  const recipes = loadRecipes(config);
  const publicHosts = [config.HOST, ...config.PUBLIC_HOSTS];
  const countByQueue = () => countJobs(database, QUEUE_NAMES);
  const app = await buildApp({
    work: createWorkStore(database, {
      pipelines,
      leaseMs: UNUSED_MS,
      queuedForMs: UNUSED_MS,
    }),
    requests: createRequestReader(database, listener),
    posts: createPostReader(database),
    answerMemoryBytes: config.ANSWER_MEMORY_BYTES,
    backfills: createBackfillStore(database, { pipelines }),
    dead: createDeadLetter(database),
    recipes: () => recipes,
    recent: () => findRecentRequests(database, RECENT_COUNT),
    health: async () => ({
      database: await isUp(database.pool.query("select 1")),
      queue: await isUp(countHints(hints)),
    }),
    metrics: { countJobs: countByQueue, countSlots: createWorkerRegistry(database).countSlots },
    publicHosts,
    trustedProxies: config.TRUSTED_PROXIES,
    log,
    dashboard: createDashboard({
      queues: hints.queues,
      countsByQueue: countByQueue,
      password: config.DASHBOARD_PASSWORD ?? "",
      readOnly: config.DASHBOARD_READ_ONLY,
      publicHosts,
      log,
    }),
    version: manifest.version,
  });
  const url = await app.listen({ host: config.HOST, port: config.PORT ?? DEFAULT_PORT });
  return {
    url,
    async close() {
      await app.close();
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
    },
  };
}

async function isUp(probe: Promise<unknown>): Promise<boolean> {
  return probe.then(
    () => true,
    () => false,
  );
}

function countHints({ queues }: Hints): Promise<unknown> {
  return Promise.all(queues.map((queue) => queue.getJobCounts("waiting")));
}

/** A list of engines that names an unknown one is a wrong setting. */
function loadRecipes(config: Config): Recipes {
  try {
    return toRecipes(config);
  } catch (error) {
    throw error instanceof Error ? new ConfigError([error.message]) : error;
  }
}
