import { join } from "node:path";
import { API_NODE_FLAGS, type Config } from "@clipmill/config";
import { toRecipes } from "@clipmill/providers";
import { InterruptedError, UsageError } from "../failure.ts";
import { chooseApiPort, findFreePort, isDefaultPort } from "./api-port.ts";
import { serveDatabase } from "./database.ts";
import { requireFfmpeg } from "../doctor/ffmpeg.ts";
import { API_MAIN, CONCEAL_FLAGS, MAIN, WORKER_MAIN } from "../paths.ts";
import { requireUsableRedis } from "./redis.ts";
import { loadSecret } from "./secret-file.ts";
import { wantsSandbox } from "./wants-sandbox.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";

export interface StackOptions {
  /** False: a worker only, for one command that submits by itself. Default: true. */
  api?: boolean;
  /** From the command line; wins over PORT. */
  port?: number | undefined;
  /** Gets lines for the person at the terminal. */
  notice: (line: string) => void;
  /** Ends the start: what runs by then is stopped. */
  signal: AbortSignal;
}

/** Nobody is asked there: it stands for the address that the sandbox gets later. */
const SOME_SANDBOX = "http://127.0.0.1:1";

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
 * What had been started is stopped again when a later part fails. Throws UsageError for wrong settings, and
 * InterruptedError when it is told to stop.
 */
export async function startStack(config: Config, options: StackOptions): Promise<Stack> {
  const { api = true, notice, signal } = options;
  requireKnownEngines(config);
  await requireUsableRedis(config, notice);
  // Before anything is started: a wrong port is a wrong setting.
  const port = api ? await choosePort(config, options) : null;
  const supervisor = createSupervisor({ logDirectory: join(config.CLIPMILL_HOME, "logs"), notice });
  const opening = serveDatabase(config, notice);
  const close = async () => {
    await supervisor.stop();
    // What failed to open has told so already, and has nothing to close.
    await opening.then(
      (database) => database.close(),
      () => {},
    );
  };
  try {
    const parts = Promise.all([
      opening,
      wantsSandbox(config) ? startSandbox(supervisor, config) : null,
      toFfmpegEnv(config, notice),
      config.DASHBOARD_PASSWORD ?? loadSecret(join(config.CLIPMILL_HOME, "dashboard-password")),
    ]);
    const [database, sandboxUrl, ffmpegEnv, dashboardPassword] = await orInterrupted(parts, signal);
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      ...ffmpegEnv,
      CLIPMILL_HOME: config.CLIPMILL_HOME,
      DATABASE_URL: database.url,
      DASHBOARD_PASSWORD: dashboardPassword,
      CLIPMILL_SANDBOX: sandboxUrl === null ? "off" : "on",
      CLIPMILL_SANDBOX_URL: sandboxUrl ?? "",
    };
    const programs = Promise.all([
      supervisor.start({
        name: "worker",
        modulePath: WORKER_MAIN,
        nodeFlags: CONCEAL_FLAGS,
        env,
      }),
      port === null
        ? null
        : supervisor.start({
            name: "api",
            modulePath: API_MAIN,
            nodeFlags: [...CONCEAL_FLAGS, ...API_NODE_FLAGS],
            env: { ...env, PORT: String(port) },
          }),
    ]);
    const [, served] = await orInterrupted(programs, signal);
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

async function orInterrupted<T>(starting: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = Promise.withResolvers<never>();
  const stop = () => interrupted.reject(new InterruptedError("interrupted while it was starting"));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([starting, interrupted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A list that names an engine which there is not: said before anything is started. */
function requireKnownEngines(config: Config): void {
  const url = wantsSandbox(config) ? SOME_SANDBOX : undefined;
  try {
    toRecipes({ ...config, CLIPMILL_SANDBOX_URL: url });
  } catch (error) {
    throw error instanceof Error ? new UsageError(error.message) : error;
  }
}

async function startSandbox(supervisor: Supervisor, config: Config): Promise<string> {
  const env = { ...process.env, CLIPMILL_HOME: config.CLIPMILL_HOME };
  // Settled here: worker and API keep the address when the sandbox crashes and comes back.
  const args = ["sandbox", "--port", String(await findFreePort("127.0.0.1"))];
  const { url } = await supervisor.start({
    name: "sandbox",
    modulePath: MAIN,
    args,
    nodeFlags: CONCEAL_FLAGS,
    env,
  });
  if (url === null) throw new Error("the sandbox told no address");
  return url;
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
