import type { WaitOptions } from "@clipmill/domain";

/** Lets so many of the programs that take a whole processor run at once, first come, first served. */
export interface Turns {
  /** Rejects with the signal's reason where it comes before the turn. */
  run<T>(wait: WaitOptions, call: () => Promise<T>): Promise<T>;
}

/** `count`: turns at once. */
export function createTurns(count: number): Turns {
  const waiting = new Set<() => void>();
  let freeCount = count;

  async function take({ signal, onWait }: WaitOptions): Promise<void> {
    signal.throwIfAborted();
    if (freeCount > 0) {
      freeCount--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      waiting.delete(resolve);
      reject(signal.reason as Error);
    };
    waiting.add(resolve);
    signal.addEventListener("abort", giveUp, { once: true });
    const end = onWait?.();
    try {
      await promise;
    } finally {
      end?.();
      signal.removeEventListener("abort", giveUp);
    }
  }

  function give(): void {
    const [next] = waiting;
    if (next === undefined) {
      freeCount++;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async run(wait, call) {
      await take(wait);
      try {
        return await call();
      } finally {
        give();
      }
    },
  };
}
