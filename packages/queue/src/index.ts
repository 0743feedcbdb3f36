export {
  createQueueBackend,
  type Hint,
  type HintQueue,
  migrateQueueSchema,
  type QueueBackend,
  type QueueBackendOptions,
} from "./bullmq/backend.ts";
export { checkRedis, type RedisProblem } from "./bullmq/check-redis.ts";
export { createDispatcher, type DispatcherDeps, type Loop } from "./dispatch/dispatcher.ts";
export { createHints, type Hints } from "./bullmq/hints.ts";
export { createQueueWorker, type QueueWorker } from "./bullmq/queue-worker.ts";
export { createReconciler, type ReconcilerDeps } from "./dispatch/reconciler.ts";
export { createRunner, type Runner, type RunnerDeps } from "./run/runner.ts";
export type { JobEnd } from "./run/run-job.ts";
export { createSlots, type Slots } from "./run/slots.ts";
export { createUpstreams, type UpstreamsDeps } from "./limits/upstreams.ts";
export { createErrorLog } from "./throttled-log.ts";
export { createWatchdog, type WatchdogOptions, type WatchedQueue } from "./run/watchdog.ts";
