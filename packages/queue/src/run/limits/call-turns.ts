import { createSemaphore } from "../../limits/semaphore.ts";

/**
 * The machine behind a queue, such as a GPU, which takes so many calls at once. Its worker runs one job more than that: the
 * job ahead is claimed, its file is open, and its call starts the moment another one ends.
 */
export interface CallTurns {
  /** Calls at once. */
  readonly size: number;
  /**
   * Makes the call when its turn comes. Throws NoTurnError when that takes over 2 s: the machine is busy with something
   * long, and another worker may be free sooner. Throws the signal's reason at the abort.
   */
  take<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /**
   * Whether a job is to be claimed ahead. Not where calls take seconds: the pause between two of them is nothing then, and
   * the job would wait here while other workers are idle. Nor before the first call has ended, since nobody knows.
   */
  isQuick(): boolean;
}

/** The job gave up waiting for its turn. It is given back, which costs it no attempt. */
export class NoTurnError extends Error {
  override readonly name = "NoTurnError";
}

const QUICK_MS = 2_000;
/** Weight of the latest call in the mean. */
const LATEST = 1 / 8;

/** `now`: ms since any moment. Default: a clock that nobody sets. */
export function createCallTurns(size: number, now = (): number => performance.now()): CallTurns {
  const semaphore = createSemaphore(() => size);
  /** When the calls under way started. */
  const underWay = new Set<{ startedAtMs: number }>();
  let meanMs: number | null = null;

  function note(durationMs: number): void {
    meanMs = meanMs === null ? durationMs : meanMs + (durationMs - meanMs) * LATEST;
  }

  return {
    size,
    async take(call, signal) {
      if (!(await semaphore.acquire(QUICK_MS, signal))) {
        signal.throwIfAborted();
        throw new NoTurnError(`no turn within ${QUICK_MS} ms`);
      }
      const mine = { startedAtMs: now() };
      underWay.add(mine);
      try {
        const result = await call();
        note(now() - mine.startedAtMs);
        return result;
      } finally {
        underWay.delete(mine);
        semaphore.release();
      }
    },
    isQuick: () =>
      meanMs !== null &&
      meanMs < QUICK_MS &&
      [...underWay].every(({ startedAtMs }) => now() - startedAtMs < QUICK_MS),
  };
}
