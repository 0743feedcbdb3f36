import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import {
  chmod,
  chown,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { Account } from "./account.ts";
import type { PostgresBinaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { identifyProcess } from "./postmaster.ts";
import { toServerEnv } from "./server-env.ts";

export const DATABASE_USER = "clipmill";
const POSTGRES_MAJOR = "18";

/**
 * The superuser's password, generated on the first start. Whoever can read the file owns the data anyway. A file that is
 * empty, as a full disk leaves it, is made anew while there is no data; later nothing else opens the data, so that
 * throws EmbeddedPostgresError.
 */
export async function loadPassword(directory: string): Promise<string> {
  const path = join(directory, "password");
  if (existsSync(path) && readFileSync(path, "utf8").trim() === "") {
    if (existsSync(dataDirectoryOf(directory))) {
      throw new EmbeddedPostgresError(
        `${path} is empty, and the data in ${directory} cannot be opened without the password that stood there: put it back from a backup, or move ${directory} away to begin anew`,
      );
    }
    await rm(path, { force: true });
  }
  if (!existsSync(path)) {
    const fresh = `${path}.${process.pid}`;
    await writeFile(fresh, randomBytes(24).toString("hex"), { mode: 0o600 });
    // Of two starts at once the first one's password counts, and no reader sees half of it.
    await link(fresh, path).catch(ignoreExisting);
    await rm(fresh, { force: true });
  }
  return (await readFile(path, "utf8")).trim();
}

/**
 * Makes the data directory, whole or not at all: initdb works in a directory of its own that is renamed at the
 * end, so that a start that was killed leaves only rubbish, which the next one removes.
 */
export async function createCluster(
  directory: string,
  binaries: PostgresBinaries,
  account: Account,
  { password, durable }: { password: string; durable: boolean },
): Promise<void> {
  await removeAbandoned(directory);
  const work = join(directory, `initdb-${process.pid}-${Date.now()}`);
  await mkdir(work, { mode: 0o700 });
  const passwordFile = join(work, "password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account.uid !== undefined && account.gid !== undefined) {
    await chown(work, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  try {
    await initdb(binaries, account, join(work, "data"), passwordFile, durable);
    await rename(join(work, "data"), dataDirectoryOf(directory)).catch(ignoreExisting);
    await syncDirectory(directory);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

export function dataDirectoryOf(directory: string): string {
  return join(directory, "data");
}

/** False: there is no data yet. Throws EmbeddedPostgresError for the data of another major version. */
export function hasCluster(directory: string): boolean {
  const path = join(dataDirectoryOf(directory), "PG_VERSION");
  if (!existsSync(path)) return false;
  const version = readFileSync(path, "utf8").trim();
  if (version === POSTGRES_MAJOR) return true;
  throw new EmbeddedPostgresError(
    `${dataDirectoryOf(directory)} was made by Postgres ${version}, and this is ${POSTGRES_MAJOR}: move it away, or serve it with Postgres ${version} and set DATABASE_URL`,
  );
}

function initdb(
  binaries: PostgresBinaries,
  account: Account,
  dataDirectory: string,
  passwordFile: string,
  durable: boolean,
): Promise<void> {
  const [program = "", ...args] = [
    ...account.prefix,
    binaries.initdb,
    `--pgdata=${dataDirectory}`,
    `--username=${DATABASE_USER}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // The same order of text on every machine, whatever its C library.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    ...(durable ? [] : ["--no-sync"]),
  ];
  return new Promise((resolve, reject) => {
    const { uid, gid } = account;
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: toServerEnv(),
      uid,
      gid,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    const fail = (detail: string, cause?: Error) =>
      reject(new EmbeddedPostgresError(`initdb failed: ${detail}`, { cause }));
    child.on("error", (error) => fail(error.message, error));
    child.on("close", (code) => {
      if (code === 0) resolve();
      else fail(output.trim().split("\n").slice(-3).join(" "));
    });
  });
}

/** Directories of initdb runs whose process is dead. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = /^initdb-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined) continue;
    if (Number(pid) !== process.pid && identifyProcess(Number(pid)) !== null) continue;
    await chmod(join(directory, name), 0o700);
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST" && error.code !== "ENOTEMPTY") throw error;
}
