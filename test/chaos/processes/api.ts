import { buildApp, createAccepting } from "@clipmill/api";
import { createFailpointTrap, createLogger, loadConfig } from "@clipmill/config";
import {
  createBackfillStore,
  createDatabase,
  createDeadLetter,
  createListener,
  createPostReader,
  createRequestReader,
  createWaitingReader,
  createWorkStore,
} from "@clipmill/db";
import { armFailpoints, FAILPOINTS, type WorkStore } from "@clipmill/domain";
import { chaosPipelines } from "../pipelines/index.ts";
import { endWithHarness, LEASE_MS, parseArguments, QUEUED_FOR_MS, tell } from "./arguments.ts";
import { createExtraRoutes } from "./extra-routes.ts";

/** The product's HTTP interface before the chaos pipeline. */
endWithHarness();
const config = loadConfig();
armFailpoints(createFailpointTrap(config, FAILPOINTS));
const { databaseUrl } = parseArguments();
const log = createLogger(config, "api");
const onError = (error: Error) => log.error({ err: error }, "connection error");
const database = createDatabase({
  url: databaseUrl,
  poolSize: 8,
  waitingMax: 80,
  name: "chaos-api",
  onError,
});
const listener = createListener({ url: databaseUrl, onError });
const store = createWorkStore(database, {
  pipelines: chaosPipelines,
  leaseMs: LEASE_MS,
  queuedForMs: QUEUED_FOR_MS,
  acceptWithinMs: 10_000,
});
// Each request costs a credit here, so that the ledger is part of what may break.
const work: WorkStore = {
  ...store,
  accept: (all) => store.accept(all.map((one) => ({ ...one, credits: 1 }))),
};
const app = await buildApp({
  work,
  requests: createRequestReader(database, listener),
  waiting: createWaitingReader(database),
  posts: createPostReader(database),
  answerMemoryBytes: 1_000_000,
  backfills: createBackfillStore(database, { pipelines: chaosPipelines }),
  dead: createDeadLetter(database),
  recipes: () => ({ source: ["chaos"], asr: [], ocr: [], llm: [] }),
  health: () => Promise.resolve({ database: true, queue: true }),
  dashboard: createExtraRoutes({ ...createAccepting(work), resolve: work.resolve }),
  log,
  version: "0.0.0-chaos",
});
tell({ type: "ready", url: await app.listen({ host: "127.0.0.1", port: 0 }) });
