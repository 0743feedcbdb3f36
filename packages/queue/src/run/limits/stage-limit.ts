/** How long a stage may work. The time that it waits for others does not count. */
export interface StageLimit {
  /** It waits from now on; what is returned ends that. It may wait several times, also at once. */
  pause(): () => void;
  clear(): void;
}

/** Calls `onOver` once the stage has worked for `limitMs`. */
export function createStageLimit(limitMs: number, onOver: () => void): StageLimit {
  let leftMs = limitMs;
  let waitCount = 0;
  let isCleared = false;
  let startedAt = performance.now();
  let timer = setTimeout(onOver, leftMs);

  function resume(): void {
    waitCount--;
    if (waitCount > 0 || isCleared) return;
    startedAt = performance.now();
    timer = setTimeout(onOver, leftMs);
  }

  return {
    pause() {
      if (waitCount === 0) {
        clearTimeout(timer);
        leftMs = Math.max(0, leftMs - (performance.now() - startedAt));
      }
      waitCount++;
      let hasEnded = false;
      return () => {
        if (!hasEnded) resume();
        hasEnded = true;
      };
    },
    clear() {
      isCleared = true;
      clearTimeout(timer);
    },
  };
}
