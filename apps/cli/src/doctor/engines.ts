import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findNpm } from "../../bootstrap/npm.mjs";
import { tryPidLock } from "../../bootstrap/pid-lock.mjs";
import { EnvironmentError } from "../failure.ts";
import { ENGINE_MANIFESTS } from "../paths.ts";

const execute = promisify(execFile);
const NPM_TIMEOUT_MS = 300_000;
const LOCK_POLL_MS = 200;
const STAMP = ".clipmill-lockfile";

/**
 * Installs a heavy engine that most machines do without, from the manifest and lockfile in `engines/<name>`, install
 * scripts off; returns its directory. Whole or not at all: it is made aside and renamed. `finish` does what is left
 * to do in it. Throws EnvironmentError, for instance without a network.
 */
export async function installEngine(
  home: string,
  name: string,
  { notice, finish }: { notice: (line: string) => void; finish: (path: string) => Promise<void> },
): Promise<string> {
  const path = join(home, "engines", name);
  const lockfile = await readFile(join(ENGINE_MANIFESTS, name, "package-lock.json"), "utf8");
  if (await isInstalled(path, lockfile)) return path;
  const lock = await waitForLock(`${path}.lock`);
  try {
    if (await isInstalled(path, lockfile)) return path;
    notice(`fetching ${name} (once; 141 MB on disk)`);
    const fresh = `${path}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await cp(join(ENGINE_MANIFESTS, name), fresh, { recursive: true });
    await runNpm(fresh, name);
    await finish(fresh);
    await writeFile(join(fresh, STAMP), lockfile);
    await rm(path, { recursive: true, force: true });
    await rename(fresh, path);
    return path;
  } finally {
    lock.release();
  }
}

/** Where an engine is installed; null where it is not. */
export function findEngine(home: string, name: string): string | null {
  const path = join(home, "engines", name);
  return existsSync(join(path, STAMP)) ? path : null;
}

async function isInstalled(path: string, lockfile: string): Promise<boolean> {
  return (await readFile(join(path, STAMP), "utf8").catch(() => null)) === lockfile;
}

async function waitForLock(path: string) {
  for (;;) {
    const { lock } = tryPidLock(path);
    if (lock !== undefined) return lock;
    await sleep(LOCK_POLL_MS);
  }
}

async function runNpm(directory: string, name: string): Promise<void> {
  const [program, ...first] = findNpm();
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  try {
    await execute(program, [...first, "ci", "--prefix", directory, ...flags], {
      cwd: directory,
      timeout: NPM_TIMEOUT_MS,
    });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new EnvironmentError(
      `the engine ${name} cannot be fetched; is the npm registry reachable? npm said:\n${said.slice(0, 1_000)}`,
      { cause: error },
    );
  }
}
