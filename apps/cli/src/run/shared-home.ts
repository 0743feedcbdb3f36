import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findHolder, tryPidLock } from "../../bootstrap/pid-lock.mjs";
import { EnvironmentError, InterruptedError } from "../failure.ts";
import {
  findHomeHolder,
  findRunState,
  hasEnded,
  type HomeLock,
  type RunState,
  tryLockHome,
} from "../up/run-state.ts";

/** A place in what another command runs. A `run` does not end before all seats are left; an `up` does. */
export interface Seat {
  state: RunState;
  /** Rejects with an EnvironmentError when the other command ends all the same; never resolves. */
  ended: Promise<never>;
  leave(): void;
}

export interface EnterOptions {
  notice: (line: string) => void;
  signal: AbortSignal;
  /** For a start that is under way, or a command that ends. Default 150 s: longer than a slow start takes. */
  waitMs?: number;
}

const POLL_MS = 200;

/**
 * What runs in this home, to be used together with whoever started it; or, where nothing does, the lock of the home, so
 * that the caller may start it. Waits for a start that is under way and for a command that is just ending. Throws
 * EnvironmentError when that takes too long, and InterruptedError.
 */
export async function enterHome(
  home: string,
  { notice, signal, waitMs = 150_000 }: EnterOptions,
): Promise<{ seat: Seat; lock?: undefined } | { lock: HomeLock; seat?: undefined }> {
  const deadline = performance.now() + waitMs;
  for (let told = false; ; told = true) {
    const seat = takeSeat(home);
    if (seat !== null) return { seat };
    const lock = tryLockHome(home);
    if (lock !== null) return { lock };
    const holder = findHomeHolder(home);
    if (!told && holder !== null) {
      notice(`another clipmill (pid ${holder}) is starting or ending here; waiting for it`);
    }
    if (signal.aborted) throw new InterruptedError("interrupted; nothing was begun");
    if (performance.now() > deadline) {
      throw new EnvironmentError(
        `another clipmill (pid ${holder}) is starting in ${home} for ${waitMs / 1_000} s now: see its terminal, or stop it and start again`,
      );
    }
    await sleep(POLL_MS);
  }
}

const seatsOf = (home: string): string => join(home, "seats");

function takeSeat(home: string): Seat | null {
  const state = findRunState(home);
  if (state === null) return null;
  mkdirSync(seatsOf(home), { recursive: true, mode: 0o700 });
  const { lock } = tryPidLock(join(seatsOf(home), `${process.pid}.lock`));
  // Whoever is about to end withdraws the state first and looks for seats then: one of the two sees the other.
  if (lock === undefined || findRunState(home)?.pid !== state.pid) {
    lock?.release();
    return null;
  }
  const end = Promise.withResolvers<never>();
  // Whoever waits for it hears of it; if nobody does yet, Node must not end the process.
  end.promise.catch(() => {});
  const timer = setInterval(() => {
    if (!hasEnded(home, state)) return;
    clearInterval(timer);
    end.reject(
      new EnvironmentError(
        `the clipmill that did the work here (pid ${state.pid}) has ended: run the command again, it goes on where it stood`,
      ),
    );
  }, POLL_MS);
  return {
    state,
    ended: end.promise,
    leave() {
      clearInterval(timer);
      lock.release();
    },
  };
}

/** Resolves when nobody has a seat any more, or at Ctrl-C. The state must have been withdrawn. */
export async function waitForSeats(
  home: string,
  { notice, signal }: Pick<EnterOptions, "notice" | "signal">,
): Promise<void> {
  for (let told = false; ; told = true) {
    const taken = findSeats(home).length;
    if (taken === 0 || signal.aborted) return;
    if (!told) {
      notice(
        `done; staying for ${taken} more that use this worker (Ctrl-C stops it for them, too)`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** Pids of those who live: a killed one has left its file. */
function findSeats(home: string): number[] {
  const names = existsSync(seatsOf(home)) ? readdirSync(seatsOf(home)) : [];
  return names
    .filter((name) => name.endsWith(".lock"))
    .flatMap((name) => findHolder(join(seatsOf(home), name)) ?? []);
}
