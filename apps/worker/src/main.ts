import "../../cli/bootstrap/conceal-environment.mjs";
import "./bound-memory.ts";
import {
  checkDirectories,
  ConfigError,
  createFailpointTrap,
  createLogger,
  loadConfig,
  toDirectoryRefusal,
} from "@clipmill/config";
import { armFailpoints, FAILPOINTS } from "@clipmill/domain";
import { examineDatabase, toDatabaseProblem, toDatabaseRefusal } from "@clipmill/db";
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
  const directories = await checkDirectories(config);
  const unfit = directories.filter(({ mayPass }) => !mayPass);
  if (unfit.length > 0) throw new ConfigError(unfit.map(toDirectoryRefusal));
  const { problem } = await examineDatabase(config.DATABASE_URL);
  if (problem?.mayPass === false) throw new ConfigError([toDatabaseRefusal(problem)]);
  const redis = await checkRedis({ url: config.REDIS_URL, prefix: config.QUEUE_PREFIX });
  // What only a person can mend stops the start; a server that is away now is waited for.
  if (redis.problem?.mayPass === false) throw new ConfigError([toRedisRefusal(redis.problem)]);
  const log = createLogger(config, "worker");
  // `clipmill up` has told its person already.
  if (redis.warning !== null && process.send === undefined)
    log.warn({ warning: redis.warning }, "REDIS_URL works, with a warning");
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
  const outage = toDatabaseProblem(error);
  if (outage !== null) {
    process.stderr.write(`${toDatabaseRefusal(outage)}\n`);
    // What is open already would keep the process; whoever started it starts it anew.
    process.exit(1);
  }
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  // What is open already, such as a listener, would keep the process.
  process.exit(2);
}
