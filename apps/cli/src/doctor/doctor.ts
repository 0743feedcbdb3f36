import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Config } from "@clipmill/config";
import { examineDatabase } from "@clipmill/db";
import { findPostgresBinaries } from "@clipmill/postgres";
import { examineEngines } from "@clipmill/providers";
import { checkRedis } from "@clipmill/queue";
import { chooseApiPort } from "../up/api-port.ts";
import { findFfmpeg } from "./ffmpeg.ts";
import { findRunState } from "../up/run-state.ts";

/** One thing that clipmill depends on. */
export interface Finding {
  name: string;
  /** `missing` is what the demo cannot do without; `note` is worse without, but works. */
  status: "ok" | "note" | "missing";
  found: string;
  /** What to do; null where nothing is to be done. */
  advice: string | null;
}

const MIN_FREE_BYTES = 1_000_000_000;

export async function examine(config: Config): Promise<Finding[]> {
  const [postgres, queue, engines, disk, port] = await Promise.all([
    checkPostgres(config),
    checkQueue(config),
    checkEngines(config),
    checkDisk(config),
    checkPort(config),
  ]);
  return [
    ok("Node", process.versions.node),
    postgres,
    queue,
    checkFfmpeg(config),
    ...engines,
    disk,
    port,
  ];
}

async function checkPostgres({ DATABASE_URL }: Config): Promise<Finding> {
  const name = "Postgres";
  if (DATABASE_URL === undefined) {
    const binaries = findPostgresBinaries();
    return binaries === null
      ? missing(name, "none for this platform", "set DATABASE_URL to a Postgres ≥ 14")
      : ok(name, `embedded ${binaries.version}`);
  }
  const { version, problem } = await examineDatabase(DATABASE_URL);
  if (problem === null) return ok(name, `DATABASE_URL, ${version}, its tables up to date`);
  const found = `DATABASE_URL: ${problem.problem}`;
  return problem.isBehind === true
    ? note(name, found, `${problem.remedy}; \`clipmill up\` does so by itself`)
    : missing(name, found, problem.remedy);
}

async function checkQueue({ REDIS_URL: url, QUEUE_PREFIX: prefix }: Config): Promise<Finding> {
  const name = "Redis";
  if (url === undefined) return ok(name, "not set: the queue runs on Postgres");
  const { server, problem, warning } = await checkRedis({ url, prefix });
  const found = `REDIS_URL, ${server ?? "unknown"}`;
  if (problem !== null) return missing(name, `REDIS_URL: ${problem.problem}`, problem.remedy);
  return warning === null ? ok(name, found) : note(name, found, warning);
}

function checkFfmpeg(config: Config): Finding {
  const name = "ffmpeg";
  const found = findFfmpeg(config);
  const advice = "apt-get install ffmpeg, or brew install ffmpeg";
  if (found === null)
    return note(name, "not found; an old one is fetched at the first start", advice);
  if (found.origin === "installed") return ok(name, found.version);
  const scope = config.ALLOW_BUNDLED_FFMPEG ? "any file" : "the demo's own clips only";
  return note(name, `${found.version}, bundled and old, for ${scope}`, advice);
}

/** The demo runs without any of them: the sandbox and recorded texts stand in. */
async function checkEngines(config: Config): Promise<Finding[]> {
  const lines = await examineEngines(config);
  return lines.map(({ name, found, without, advice }) =>
    found === null ? note(name, without, advice) : ok(name, found),
  );
}

async function checkDisk({ CLIPMILL_HOME }: Config): Promise<Finding> {
  let directory = CLIPMILL_HOME;
  while (!existsSync(directory)) directory = dirname(directory);
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const found = `${(free / 1e9).toFixed(1)} GB free for ${CLIPMILL_HOME}`;
  return free < MIN_FREE_BYTES
    ? missing("disk", found, "free 1 GB, or set CLIPMILL_HOME")
    : ok("disk", found);
}

async function checkPort(config: Config): Promise<Finding> {
  const running = findRunState(config.CLIPMILL_HOME);
  if (running?.apiUrl != null) return ok("API port", `in use by the clipmill at ${running.apiUrl}`);
  const configured = config.PORT === undefined ? null : { port: config.PORT, origin: "PORT" };
  try {
    return ok("API port", `${await chooseApiPort(config.HOST, configured)} is free`);
  } catch (error) {
    return missing("API port", (error as Error).message, "set PORT to a free one");
  }
}

const ok = (name: string, found: string): Finding => ({ name, status: "ok", found, advice: null });
const note = (name: string, found: string, advice: string): Finding => ({
  name,
  status: "note",
  found,
  advice,
});
const missing = (name: string, found: string, advice: string): Finding => ({
  name,
  status: "missing",
  found,
  advice,
});
