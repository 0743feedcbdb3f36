import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { findHolder, tryPidLock } from "../../bootstrap/pid-lock.mjs";
import { EnvironmentError } from "../failure.ts";

/** Where a running `clipmill up` can be reached. Holds the database's password: the file is 0600. */
const RunState = z.object({
  pid: z.number(),
  apiUrl: z.string().nullable(),
  databaseUrl: z.string(),
  sandboxUrl: z.string().nullable(),
  startedAt: z.string(),
});
export type RunState = z.infer<typeof RunState>;

export interface HomeLock {
  /** Tells others where to find what runs here. */
  publish(state: Omit<RunState, "pid">): Promise<void>;
  release(): void;
}

const lockPath = (home: string) => join(home, "up.lock");
const statePath = (home: string) => join(home, "run.json");

/** One `clipmill up` per home: two would start two of everything on the same data. */
export function lockHome(home: string): HomeLock {
  const { lock, heldBy } = tryLock(home);
  if (lock === undefined) {
    const url = findRunState(home)?.apiUrl;
    const where = url === undefined || url === null ? "and still starting" : `at ${url}`;
    throw new EnvironmentError(
      `already running ${where} (pid ${heldBy}, data in ${home}): stop that one first, or set CLIPMILL_HOME to another directory`,
    );
  }
  // What a killed one has left tells of addresses that nobody answers.
  rmSync(statePath(home), { force: true });
  return {
    async publish(state) {
      const fresh = `${statePath(home)}.${process.pid}`;
      await writeFile(fresh, JSON.stringify({ pid: process.pid, ...state }), { mode: 0o600 });
      await rename(fresh, statePath(home));
    },
    release() {
      rmSync(statePath(home), { force: true });
      lock.release();
    },
  };
}

function tryLock(home: string) {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return tryPidLock(lockPath(home));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new EnvironmentError(
      `cannot write to ${home} (${code}): start clipmill as the user that it belongs to, or set CLIPMILL_HOME to another directory`,
      { cause: error },
    );
  }
}

/** What runs in `home` now, or null. */
export function findRunState(home: string): RunState | null {
  if (findHolder(lockPath(home)) === null) return null;
  try {
    const state = RunState.safeParse(JSON.parse(readFileSync(statePath(home), "utf8")));
    return state.success ? state.data : null;
  } catch {
    return null;
  }
}
