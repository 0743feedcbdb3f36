/** `shared`: together with others that share. `exclusive`: alone. */
export type LockMode = "shared" | "exclusive";

/**
 * A shared/exclusive lock over the jobs of this process. A job that runs exclusively is alone, so if the process crashes,
 * it was that job. First come, first served: a waiting exclusive job holds back whatever comes after it.
 */
export interface Exclusion {
  /** Resolves, when the lock is held, with what gives it up. */
  enter(mode: LockMode): Promise<() => void>;
}

export function createExclusion(): Exclusion {
  const waiting: { mode: LockMode; start: () => void }[] = [];
  let holderCount = 0;
  let isExclusive = false;

  function admit(): void {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const wantsAlone = next.mode === "exclusive";
      if (isExclusive || (wantsAlone && holderCount > 0)) return;
      waiting.shift();
      holderCount++;
      isExclusive = wantsAlone;
      next.start();
    }
  }

  function leave(): void {
    holderCount--;
    isExclusive = false;
    admit();
  }

  return {
    enter(mode) {
      const { promise, resolve } = Promise.withResolvers<() => void>();
      waiting.push({ mode, start: () => resolve(leave) });
      admit();
      return promise;
    },
  };
}
