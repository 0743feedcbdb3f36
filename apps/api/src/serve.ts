import { type Config, ConfigError, toWaitingLimits } from "@clipmill/config";
import { createDashboard } from "@clipmill/dashboard";
import {
  countJobs,
  createBackfillStore,
  createDatabase,
  createDeadLetter,
  createListener,
  createPostReader,
  createRequestReader,
  createWaitingReader,
  createWorkerRegistry,
  createWorkStore,
  findRecentRequests,
} from "@clipmill/db";
import { QUEUE_NAMES, type Recipes } from "@clipmill/domain";
import { pipelines } from "@clipmill/pipeline";
import { toRecipes } from "@clipmill/providers";
import {
  createErrorLog,
  createHints,
  createOverdueLoop,
  createQueueBackend,
} from "@clipmill/queue";
import type { FastifyBaseLogger } from "fastify";
import manifest from "../../../package.json" with { type: "json" };
import { buildApp } from "./app.ts";
import { examineHealth } from "./health/examine-health.ts";

/** The API only accepts and reads, so leases and windows are the workers' business. */
const UNUSED_MS = 60_000;
/** Callers may be any number, and most would have gone before their turn. */
const WAITING_PER_CONNECTION = 10;
/** Less than most callers wait. */
const ACCEPT_WITHIN_MS = 10_000;
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
    waitingMax: WAITING_PER_CONNECTION * config.DATABASE_POOL,
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
  const waiting = createWaitingReader(database);
  const waitingLimits = toWaitingLimits(config);
  const work = createWorkStore(database, {
    pipelines,
    leaseMs: UNUSED_MS,
    queuedForMs: UNUSED_MS,
    acceptWithinMs: ACCEPT_WITHIN_MS,
    waitingLimits,
  });
  const app = await buildApp({
    work,
    requests: createRequestReader(database, listener, { waitingLimits }),
    waiting,
    posts: createPostReader(database),
    answerMemoryBytes: config.ANSWER_MEMORY_BYTES,
    backfills: createBackfillStore(database, { pipelines }),
    dead: createDeadLetter(database),
    recipes: () => recipes,
    recent: () => findRecentRequests(database, RECENT_COUNT),
    health: () => examineHealth(database.pool, backend),
    metrics: { countJobs: countByQueue, countSlots: createWorkerRegistry(database).countSlots },
    publicHosts,
    trustedProxies: config.TRUSTED_PROXIES,
    log,
    dashboard: createDashboard({
      queues: hints.queues,
      countsByQueue: countByQueue,
      waiting: waiting.findGroups,
      password: config.DASHBOARD_PASSWORD ?? "",
      readOnly: config.DASHBOARD_READ_ONLY,
      publicHosts,
      log,
    }),
    version: manifest.version,
  });
  // The workers do this as well. But a job may wait for just that, a worker.
  const overdue = createOverdueLoop({ work, log });
  const url = await app.listen({ host: config.HOST, port: config.PORT ?? DEFAULT_PORT });
  return {
    url,
    async close() {
      await app.close();
      await overdue.close();
      await hints.close();
      await backend.close();
      await listener.close();
      await database.close();
    },
  };
}

/** A list of engines that names an unknown one is a wrong setting. */
function loadRecipes(config: Config): Recipes {
  try {
    return toRecipes(config);
  } catch (error) {
    throw error instanceof Error ? new ConfigError([error.message]) : error;
  }
}
