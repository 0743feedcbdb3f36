import "../../cli/bootstrap/conceal-environment.mjs";
import { ConfigError, createFailpointTrap, createLogger, loadConfig } from "@clipmill/config";
import { armFailpoints, FAILPOINTS } from "@clipmill/domain";
import { examineDatabase, toDatabaseRefusal } from "@clipmill/db";
import { checkRedis, toRedisRefusal } from "@clipmill/queue";
import closeWithGrace from "close-with-grace";
import { serveApi } from "./serve.ts";

/** Callers that wait with `Prefer: wait` get their answer before this. */
const KILL_AFTER_MS = 20_000;

try {
  const config = loadConfig();
  armFailpoints(createFailpointTrap(config, FAILPOINTS));
  const { DATABASE_URL, DASHBOARD_PASSWORD } = config;
  if (DATABASE_URL === undefined)
    throw new ConfigError([
      "DATABASE_URL: an API of its own needs one; `clipmill up` starts everything",
    ]);
  if (DASHBOARD_PASSWORD === undefined)
    throw new ConfigError([
      "DASHBOARD_PASSWORD: an API of its own needs one; `clipmill up` generates it",
    ]);
  const { problem } = await examineDatabase(DATABASE_URL);
  if (problem?.mayPass === false) throw new ConfigError([toDatabaseRefusal(problem)]);
  const redis = await checkRedis({ url: config.REDIS_URL, prefix: config.QUEUE_PREFIX });
  // What only a person can mend stops the start; a server that is away now is waited for.
  if (redis.problem?.mayPass === false) throw new ConfigError([toRedisRefusal(redis.problem)]);
  const log = createLogger(config, "api");
  // `clipmill up` has told its person already.
  if (redis.warning !== null && process.send === undefined)
    log.warn({ warning: redis.warning }, "REDIS_URL works, with a warning");
  const api = await serveApi(config, DATABASE_URL, log);
  const grace = closeWithGrace({ delay: KILL_AFTER_MS, logger: false }, async ({ err }) => {
    if (err !== undefined) log.fatal({ err }, "api crashed");
    await api.close();
  });
  // Whoever started us is gone: nobody would stop us.
  process.on("disconnect", () => grace.close());
  process.send?.({ type: "ready", url: api.url });
  log.info({ port: new URL(api.url).port }, "api ready");
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  // What is open already, such as a listener, would keep the process.
  process.exit(2);
}
