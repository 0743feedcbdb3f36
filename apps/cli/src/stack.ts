import { join } from "node:path";
import type { Config } from "@clipmill/config";
import { chooseApiPort, isDefaultPort } from "./api-port.ts";
import { serveDatabase } from "./database.ts";
import { requireFfmpeg } from "./ffmpeg.ts";
import { API_MAIN, MAIN, WORKER_MAIN } from "./paths.ts";
import { requireUsableRedis } from "./redis.ts";
import { loadSecret } from "./secret-file.ts";
import { createSupervisor } from "./supervisor.ts";

export interface StackOptions {
  /** False: a worker only, for one command that submits by itself. Default: true. */
  api?: boolean;
  /** From the command line; wins over PORT. */
  port?: number | undefined;
  /** Gets lines for the person at the terminal. */
  notice: (line: string) => void;
}

/** Everything that `clipmill up` runs. */
export interface Stack {
  /** Null without the API. */
  apiUrl: string | null;
  /** Holds the password. */
  databaseUrl: string;
  /** Null where upstreams are real. */
  sandboxUrl: string | null;
  /** Of the page at /queues. */
  dashboardPassword: string;
  /** Rejects when a part is beyond help; never resolves. */
  failed: Promise<never>;
  /** Children first, then Postgres. */
  close(): Promise<void>;
  /** At once: the next start heals. */
  kill(): void;
}

/**
 * Starts Postgres (unless DATABASE_URL), applies the migrations, then starts sandbox, worker and API as processes.
 * What had been started is stopped again when a later part fails. Throws UsageError for wrong settings.
 */
export async function startStack(config: Config, options: StackOptions): Promise<Stack> {
  const { api = true, notice } = options;
  await requireUsableRedis(config.REDIS_URL);
  // Before anything is started: a wrong port is a wrong setting.
  const port = api ? await choosePort(config, options) : null;
  const database = await serveDatabase(config, notice);
  const supervisor = createSupervisor({ logDirectory: join(config.CLIPMILL_HOME, "logs"), notice });
  const close = async () => {
    await supervisor.stop();
    await database.close();
  };
  try {
    const dashboardPassword =
      config.DASHBOARD_PASSWORD ??
      (await loadSecret(join(config.CLIPMILL_HOME, "dashboard-password")));
    let env: NodeJS.ProcessEnv = {
      ...process.env,
      CLIPMILL_HOME: config.CLIPMILL_HOME,
      DATABASE_URL: database.url,
      DASHBOARD_PASSWORD: dashboardPassword,
      CLIPMILL_SANDBOX: wantsSandbox(config) ? "on" : "off",
    };
    const sandboxUrl = wantsSandbox(config)
      ? (await supervisor.start({ name: "sandbox", modulePath: MAIN, args: ["sandbox"], env })).url
      : null;
    env = {
      ...env,
      ...(await toFfmpegEnv(config, notice)),
      CLIPMILL_SANDBOX_URL: sandboxUrl ?? "",
    };
    const [, served] = await Promise.all([
      supervisor.start({ name: "worker", modulePath: WORKER_MAIN, env }),
      port === null
        ? null
        : supervisor.start({
            name: "api",
            modulePath: API_MAIN,
            env: { ...env, PORT: String(port) },
          }),
    ]);
    return {
      apiUrl: port === null ? null : (served?.url ?? `http://${config.HOST}:${port}`),
      databaseUrl: database.url,
      sandboxUrl,
      dashboardPassword,
      failed: Promise.race([supervisor.failed, database.failed]),
      close,
      kill: () => supervisor.kill(),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The sandbox stands in unless there is a key of the real upstream. */
function wantsSandbox({ CLIPMILL_SANDBOX, TIKLIVE_API_KEY }: Config): boolean {
  if (CLIPMILL_SANDBOX === "auto") return TIKLIVE_API_KEY === undefined;
  return CLIPMILL_SANDBOX === "on";
}

async function choosePort(config: Config, { port, notice }: StackOptions): Promise<number> {
  const configured =
    port === undefined
      ? config.PORT === undefined
        ? null
        : { port: config.PORT, origin: "PORT" }
      : { port, origin: "--port" };
  const chosen = await chooseApiPort(config.HOST, configured);
  if (configured === null && !isDefaultPort(chosen)) {
    notice(`the default port is taken, so the API listens on ${chosen}`);
  }
  return chosen;
}

async function toFfmpegEnv(
  config: Config,
  notice: (line: string) => void,
): Promise<NodeJS.ProcessEnv> {
  const { origin, path } = await requireFfmpeg(config, notice);
  return origin === "installed" ? {} : { FFMPEG_PATH: path, CLIPMILL_FFMPEG_BUNDLED: "1" };
}
