/** Lets so many through at once; first come, first served. */
export interface Semaphore {
  /** Resolves false when there was none within `timeoutMs` or before the abort. Whoever got one gives it back. */
  acquire(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  release(): void;
}

/** `limit` is asked each time, so that it may change while calls wait. */
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
      const end = (got: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        waiting.delete(start);
        resolve(got);
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
