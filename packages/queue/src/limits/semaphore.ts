/** Lets a limited number of calls run at once; first come, first served. */
export interface Semaphore {
  /** Resolves true when there is room, and then `release` must follow; false after `timeoutMs` or at the abort. */
  acquire(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  release(): void;
}

/** `limit` is read at each acquire and release, so it may change while calls wait. */
export function createSemaphore(limit: () => number): Semaphore {
  const waiting = new Set<() => void>();
  let usedCount = 0;

  function admit(): void {
    for (const start of waiting) {
      if (usedCount >= limit()) return;
      usedCount++;
      waiting.delete(start);
      start();
    }
  }

  return {
    acquire(timeoutMs, signal) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const end = (isAcquired: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        waiting.delete(start);
        resolve(isAcquired);
      };
      const start = () => end(true);
      const giveUp = () => end(false);
      const timer = setTimeout(giveUp, timeoutMs);
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.add(start);
      if (signal.aborted) giveUp();
      else admit();
      return promise;
    },
    release() {
      usedCount--;
      admit();
    },
  };
}
