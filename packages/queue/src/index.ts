export {
  createQueueBackend,
  type Hint,
  type HintQueue,
  migrateQueueSchema,
  type QueueBackend,
  type QueueBackendOptions,
} from "./backend.ts";
export { checkRedis, type RedisProblem } from "./check-redis.ts";
export { createDispatcher, type DispatcherDeps, type Loop } from "./dispatcher.ts";
export { createHints, type Hints } from "./hints.ts";
export { createQueueWorker, type QueueWorker } from "./queue-worker.ts";
export { createReconciler, type ReconcilerDeps } from "./reconciler.ts";
export { createRunner, type JobEnd, type Runner, type RunnerDeps } from "./runner.ts";
export { createSlots, type Slots } from "./slots.ts";
export { createUpstreams, type UpstreamsDeps } from "./upstreams.ts";
export { createErrorLog } from "./throttled-log.ts";
export { createWatchdog, type WatchdogOptions, type WatchedQueue } from "./watchdog.ts";
