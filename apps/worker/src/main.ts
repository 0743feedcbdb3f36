import "../../cli/bootstrap/conceal-environment.mjs";
import { ConfigError, createFailpointTrap, createLogger, loadConfig } from "@clipmill/config";
import { armFailpoints, FAILPOINTS } from "@clipmill/domain";
import { checkRedis, toRedisRefusal } from "@clipmill/queue";
import closeWithGrace from "close-with-grace";
import { createWorker } from "./worker.ts";

/** Longer than the worker's own bound: it ends by itself first. */
const KILL_AFTER_MS = 28_000;

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/** The reason of a stop that the watchdog asks for. */
const STUCK = "stuck";

try {
  const config = loadConfig();
  armFailpoints(createFailpointTrap(config, FAILPOINTS));
  if (config.DATABASE_URL === undefined)
    throw new ConfigError([
      "DATABASE_URL: a worker of its own needs one; `clipmill up` starts everything",
    ]);
  const redis = config.REDIS_URL === undefined ? null : await checkRedis(config.REDIS_URL);
  // A Redis that would evict jobs stops the start; one that is away now is waited for.
  if (redis?.reachable === true) throw new ConfigError([toRedisRefusal(redis)]);
  const log = createLogger(config, "worker");
  let reason = "";
  /** Once: what comes after it asks for the same. */
  const stop = (why: string) => {
    if (reason !== "") return;
    reason = why;
    grace.close();
  };
  const worker = await createWorker(config, log, () => stop(STUCK));
  const startedAt = performance.now();
  const grace = closeWithGrace(
    {
      delay: KILL_AFTER_MS,
      logger: false,
      // It would exit at a second one, with all leases: one Ctrl-C under npm comes up to three times.
      skip: [...STOP_SIGNALS],
      onTimeout: () => log.error(worker.counts(), "worker did not stop in time and exits"),
    },
    async ({ err }) => {
      const stoppingAt = performance.now();
      if (err !== undefined) {
        reason = "crash";
        log.fatal({ err, ...worker.counts() }, "worker crashed");
        await worker.abandon();
        return;
      }
      log.info({ reason, ...worker.counts() }, "worker stopping");
      await worker.close();
      const [stopMs, upMs] = [stoppingAt, startedAt].map((at) =>
        Math.round(performance.now() - at),
      );
      log.info({ reason, stopMs, upMs, ...worker.counts() }, "worker stopped");
      // Not 0: whoever started us is to start us again.
      if (reason === STUCK) process.exit(1);
    },
  );
  for (const signal of STOP_SIGNALS) process.on(signal, () => stop(signal));
  // Whoever started us is gone: nobody would stop us.
  process.on("disconnect", () => stop("disconnect"));
  process.send?.({ type: "ready" });
  log.info({ queues: config.CLIPMILL_QUEUES, roles: config.CLIPMILL_ROLES }, "worker ready");
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
