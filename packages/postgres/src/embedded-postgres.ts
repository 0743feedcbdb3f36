import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { type Account, prepareDirectory } from "./account.ts";
import { type PostgresBinaries, preparePostgresBinaries } from "./binaries.ts";
import {
  createCluster,
  DATABASE_USER,
  dataDirectoryOf,
  hasCluster,
  loadPassword,
} from "./cluster.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { choosePort, savePort } from "./port.ts";
import { readPidFile, starterSetting, stopPostmaster } from "./postmaster.ts";
import { openServerLog, type ServerLog } from "./server-log.ts";
import { toServerEnv } from "./server-env.ts";

/** Told of what was healed at a start. The part of pino's logger that is used here. */
interface Log {
  info(fields: Record<string, unknown>, message: string): void;
}

export interface EmbeddedPostgresOptions {
  /** Holds everything: data, password, port, log. Created with mode 0700. */
  directory: string;
  /** Taken: an error. Default: the last one, else 54329, else any free one. */
  port?: number;
  /** `false` only where the data may be lost: a test's. Default `true`. */
  durable?: boolean;
  /** More variables for the server, which gets few of ours. Default: none. */
  env?: Readonly<Record<string, string>>;
  log: Log;
}

export interface EmbeddedPostgres {
  /** Holds the password: never log it. The user is a superuser, the database is `clipmill`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Settles when the server has ended, for whatever reason; the text is the end of its log. */
  readonly exited: Promise<string>;
  /** Fast shutdown, within 20 s. May be called twice. */
  close(): Promise<void>;
}

export type RunningPostgres = Pick<EmbeddedPostgres, "url" | "port" | "pid">;

const DATABASE = "clipmill";
const READY_WITHIN_MS = 120_000;
const EXIT_SEEN_WITHIN_MS = 1_000;
/** A port that was taken in between, and shared memory that a dying server has not given back yet. */
const LAUNCH_ATTEMPTS = 3;
const WRONG_PASSWORD = "28P01";

/** Each with what it prevents. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  // A path in a deep directory would exceed the 107 bytes of a socket's name.
  unix_socket_directories: "",
  // Ten processes with their pools, on a queue in Postgres as well; a slot that nobody uses costs next to nothing.
  max_connections: "250",
  // Holds the indexes of a few million requests; taken from the system as it fills.
  shared_buffers: "256MB",
  // A worker that hangs inside a transaction would hold its row locks, and vacuum, for ever.
  idle_in_transaction_session_timeout: "60s",
  // Queue rows change several times each: vacuum early and often, or the ready-index fills with dead entries.
  autovacuum_naptime: "15s",
  autovacuum_vacuum_scale_factor: "0.05",
  // But not for rows that were only added: while a list streams in, vacuum and statistics took a fifth of two cores.
  autovacuum_vacuum_insert_threshold: "1000000",
  // Every plan of ours is settled by its keys, so a rough picture of the tables will do; and it costs a tenth.
  default_statistics_target: "10",
  // A checkpoint each 250 MB makes every page whole in the log once more, which is a quarter of what a long list writes.
  max_wal_size: "2GB",
  // Nobody replicates an embedded server; less is written per commit.
  wal_level: "minimal",
  max_wal_senders: "0",
  // Compiling costs more than these short queries take.
  jit: "off",
  log_checkpoints: "off",
  timezone: "UTC",
  log_timezone: "UTC",
};
const NOT_DURABLE = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

/**
 * Starts Postgres on a directory, and makes what is missing. Heals what a kill -9 left: a stale pid file, a
 * server without its starter (stopped first), a half-made cluster. Throws EmbeddedPostgresError with what
 * to do; in particular when a living process has it running already: see `findRunningPostgres`.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory);
  const binaries = await preparePostgresBinaries();
  const account = await prepareDirectory(directory);
  const { durable = true, env = {}, log } = options;
  await clearDataDirectory(directory, log);
  const password = await loadPassword(directory);
  if (!hasCluster(directory)) {
    await createCluster(directory, binaries, account, { password, durable });
  }
  for (let attempt = 1; ; attempt++) {
    const port = await choosePort(directory, options.port);
    const url = toUrl(password, port);
    const server = launch(directory, binaries, account, { port, durable, env });
    try {
      await waitUntilReady(url, server);
      await savePort(directory, port);
      const { child, exited } = server;
      const pid = child.pid as number;
      const close = async () => {
        await stopPostmaster(pid);
        // Its end is seen in the process table first; who has waited for it here may remove the directory.
        await Promise.race([exited, sleep(EXIT_SEEN_WITHIN_MS)]);
      };
      return { url, port, pid, exited, close };
    } catch (error) {
      if (server.child.pid !== undefined) await stopPostmaster(server.child.pid);
      // Another start may have been quicker.
      await clearDataDirectory(directory, log);
      if (attempt === LAUNCH_ATTEMPTS) throw error;
      await sleep(500);
    }
  }
}

/** The server that runs on `directory` and answers for a living process, or null. */
export function findRunningPostgres(directory: string): RunningPostgres | null {
  const state = readPidFile(dataDirectoryOf(resolve(directory)));
  if (state.kind !== "running" || state.postmaster.starter?.alive !== true) return null;
  const { pid, port } = state.postmaster;
  const password = readFileSync(join(directory, "password"), "utf8").trim();
  return { url: toUrl(password, port), port, pid };
}

async function clearDataDirectory(directory: string, log: Log): Promise<void> {
  const dataDirectory = dataDirectoryOf(directory);
  const pidFile = join(dataDirectory, "postmaster.pid");
  const state = readPidFile(dataDirectory);
  switch (state.kind) {
    case "none":
      return;
    case "stale":
      log.info({}, "removed the pid file of a Postgres that had died");
      await rm(pidFile, { force: true });
      return;
    case "unknown":
      throw new EmbeddedPostgresError(
        `a Postgres of another user (pid ${state.pid}) may be running on ${dataDirectory}: stop it, or remove ${pidFile} if it has nothing to do with clipmill`,
      );
    case "running":
      if (state.postmaster.starter?.alive === true) {
        throw new EmbeddedPostgresError(
          `Postgres is already running on ${dataDirectory}, started by process ${state.postmaster.starter.pid}`,
        );
      }
      log.info({ pid: state.postmaster.pid }, "stopping a Postgres whose starter had died");
      await stopPostmaster(state.postmaster.pid);
  }
}

interface Server {
  child: ChildProcess;
  serverLog: ServerLog;
  exited: Promise<string>;
}

function launch(
  directory: string,
  binaries: PostgresBinaries,
  account: Account,
  { port, durable, env }: { port: number; durable: boolean; env: Readonly<Record<string, string>> },
): Server {
  const settings = { port: String(port), ...SETTINGS, ...(durable ? {} : NOT_DURABLE) };
  const [program, ...args] = [
    ...account.prefix,
    binaries.postgres,
    "-D",
    dataDirectoryOf(directory),
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    "-c",
    starterSetting(),
  ];
  const serverLog = openServerLog(directory);
  const { fd } = serverLog;
  const { uid, gid } = account;
  // A session of its own: Ctrl-C goes to the whole group, and the database must outlive those that use it.
  const child = spawn(program, args, {
    stdio: ["ignore", fd, fd],
    detached: true,
    env: { ...toServerEnv(), ...env },
    uid,
    gid,
  });
  closeSync(fd);
  const exited = new Promise<string>((done) => {
    child.once("error", (error) => done(error.message));
    child.once("exit", () => done(serverLog.tail()));
  });
  return { child, serverLog, exited };
}

async function waitUntilReady(url: string, { exited, serverLog }: Server): Promise<void> {
  let end: string | null = null;
  void exited.then((text) => (end = text));
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    if (end !== null) throw new EmbeddedPostgresError(`Postgres did not start:\n${end as string}`);
    try {
      await ensureDatabase(url);
      return;
    } catch (error) {
      if (error instanceof DatabaseError && error.code === WRONG_PASSWORD) {
        const message = "the server refuses the password in the file beside its data";
        throw new EmbeddedPostgresError(message, { cause: error });
      }
      if (Date.now() > deadline) {
        const message = `Postgres is not ready after ${READY_WITHIN_MS / 1000} s; see ${serverLog.path}`;
        throw new EmbeddedPostgresError(message, { cause: error });
      }
      await sleep(20);
    }
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const admin = new URL(url);
  admin.pathname = "/postgres";
  const client = new Client({ connectionString: admin.href, connectionTimeoutMillis: 5_000 });
  // A server that goes away while the client is open is told by the failing query.
  client.on("error", () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query("select from pg_database where datname = $1", [
      DATABASE,
    ]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end().catch(() => {});
  }
}

function toUrl(password: string, port: number): string {
  return `postgres://${DATABASE_USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
}
