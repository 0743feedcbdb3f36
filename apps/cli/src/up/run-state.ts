import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  /** True: it is being stopped, whoever uses it. */
  isEnding: z.boolean().default(false),
});
export type RunState = Readonly<z.infer<typeof RunState>>;

export interface HomeLock {
  /** Tells others where to find what runs here. */
  publish(state: Omit<RunState, "pid" | "isEnding">): void;
  /** Nobody else is to use it from now on. `atOnce`: whoever uses it now is left alone, too. */
  withdraw(options: { atOnce: boolean }): void;
  release(): void;
}

const lockPath = (home: string) => join(home, "up.lock");
const statePath = (home: string) => join(home, "run.json");

/** One start of the parts per home: two would start two of everything on the same data. Throws EnvironmentError. */
export function lockHome(home: string): HomeLock {
  const lock = tryLockHome(home);
  if (lock !== null) return lock;
  const holder = findHomeHolder(home);
  const state = findRunState(home);
  const what =
    state === null
      ? "another clipmill is starting or ending"
      : state.apiUrl === null
        ? "a `clipmill run` is at work"
        : `already running at ${state.apiUrl}`;
  throw new EnvironmentError(
    `${what} (pid ${holder}, data in ${home}): ${state?.apiUrl == null ? "wait until it is done" : "stop that one first"}, or set CLIPMILL_HOME to another directory`,
  );
}

/** Null where somebody else has it. */
export function tryLockHome(home: string): HomeLock | null {
  const lock = tryLock(home);
  if (lock === undefined) return null;
  // What a killed one has left tells of addresses that nobody answers.
  rmSync(statePath(home), { force: true });
  let published: Omit<RunState, "pid" | "isEnding"> | null = null;
  const write = (isEnding: boolean): void => {
    const fresh = `${statePath(home)}.${process.pid}`;
    writeFileSync(fresh, JSON.stringify({ pid: process.pid, ...published, isEnding }), {
      mode: 0o600,
    });
    renameSync(fresh, statePath(home));
  };
  return {
    publish(state) {
      published = state;
      write(false);
    },
    withdraw({ atOnce }) {
      if (atOnce && published !== null) write(true);
      else rmSync(statePath(home), { force: true });
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
    return tryPidLock(lockPath(home)).lock;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new EnvironmentError(
      `cannot write to ${home} (${code}): start clipmill as the user that it belongs to, or set CLIPMILL_HOME to another directory`,
      { cause: error },
    );
  }
}

/** The pid of whoever has the lock of this home, or null. */
export function findHomeHolder(home: string): number | null {
  return findHolder(lockPath(home));
}

/** What runs in `home` now, for others to use, or null. */
export function findRunState(home: string): RunState | null {
  if (findHomeHolder(home) === null) return null;
  const state = readState(home);
  return state === null || state.isEnding ? null : state;
}

/** Whether what was found there has ended, or is being stopped under those who use it. */
export function hasEnded(home: string, { pid, apiUrl }: RunState): boolean {
  if (findHomeHolder(home) !== pid) return true;
  const state = readState(home);
  // A `run` that is done withdraws its state, and stays for as long as others need it.
  return state === null ? apiUrl !== null : state.isEnding;
}

function readState(home: string): RunState | null {
  try {
    const state = RunState.safeParse(JSON.parse(readFileSync(statePath(home), "utf8")));
    return state.success ? state.data : null;
  } catch {
    return null;
  }
}
