import { createFailpointTrap, createLogger, loadConfig } from "@clipmill/config";
import { createDatabase, createListener, createWorkStore } from "@clipmill/db";
import { armFailpoints, FAILPOINTS, type QueueName } from "@clipmill/domain";
import { createFileStorage } from "../../../packages/providers/src/storage/file-storage.ts";
import {
  createDispatcher,
  createHints,
  createQueueBackend,
  createQueueWorker,
  createReconciler,
  createRunner,
  createSlots,
} from "@clipmill/queue";
import { createChaosStages, chaosPipelines } from "../pipelines/index.ts";
import {
  endWithHarness,
  LEASE_MS,
  parseArguments,
  QUEUED_FOR_MS,
  RECONCILE_EVERY_MS,
  tell,
  type ToProcess,
  WINDOW,
} from "./arguments.ts";
import { countFaults } from "./count-faults.ts";
import { withoutProtection } from "./without-protection.ts";

/** Few: what a dying process holds runs alone afterwards, one job after the other. */
const SLOTS: Readonly<Record<QueueName, number>> = { io: 4, gpu: 3, cpu: 2, llm: 3 };
/** More than is ever waiting. */
const NO_WINDOW = 100_000;

/** The parts of apps/worker, wired as there, around the chaos stages. */
endWithHarness();
const config = loadConfig();
armFailpoints(createFailpointTrap(config, FAILPOINTS));
const args = parseArguments();
const log = createLogger(config, "worker");
const onError = (error: Error) => log.error({ err: error }, "connection error");
const url = args.databaseUrl;
const database = createDatabase({
  url,
  poolSize: 6,
  name: `chaos-${args.roles.join("-")}`,
  onError,
});
const backend = createQueueBackend({
  redisUrl: args.queue.backend === "redis" ? args.queue.url : undefined,
  databaseUrl: args.queue.url,
  prefix: args.prefix,
  onError,
});
const size = args.control === "no-window" ? NO_WINDOW : WINDOW;
const window = { io: size, gpu: size, cpu: size, llm: size };
const storeOptions = {
  pipelines: chaosPipelines,
  leaseMs: LEASE_MS,
  queuedForMs: QUEUED_FOR_MS,
  window,
};
const store = createWorkStore(database, storeOptions);
const safe = { work: store, hints: createHints(backend) };
const { work: mutated, hints } = withoutProtection(args.control, safe, database, storeOptions);
const work = countFaults(mutated, tell);

if (args.roles.includes("work")) {
  const workerId = `chaos-${process.pid}`;
  const storage = await createFileStorage({ directory: args.storageDirectory });
  const stages = createChaosStages({ upstreamUrl: args.upstreamUrl, storage, workerId });
  const slots = new Map(args.queues.map((queue) => [queue, createSlots(SLOTS[queue])]));
  const runner = createRunner({
    stages,
    route: { slots, next: chaosPipelines.next },
    work,
    hints,
    ledger: store,
    workerId,
    leaseMs: LEASE_MS,
    log,
    // Short waits: a run has minutes.
    random: () => Math.random() / 10,
  });
  for (const [queue, ofQueue] of slots) {
    createQueueWorker({ backend, queue, slots: ofQueue, runner, log });
  }
}
if (args.roles.includes("dispatch")) {
  const listener = createListener({ url, onError });
  const nextReady = (queue: QueueName, ms: number) => listener.next("clipmill_ready", queue, ms);
  createDispatcher({ work, hints, nextReady, window, log });
}
if (args.roles.includes("reconcile")) {
  createReconciler({ work, hints, intervalMs: RECONCILE_EVERY_MS, log });
}

process.on("message", ({ type, ms }: ToProcess) => {
  if (type !== "block") return;
  // What a decoder on the event loop would do: no timer, no heartbeat, no answer.
  for (const until = Date.now() + ms; Date.now() < until;);
  tell({ type: "blocked" });
});
tell({ type: "ready" });
