/**
 * Lets ordinary jobs run side by side and a solo job alone in its process, so that a crash can be laid at the right
 * door. First come, first served: a waiting solo job holds back what comes after it.
 */
export interface SoloGate {
  enter(alone: boolean): Promise<() => void>;
}

export function createSoloGate(): SoloGate {
  const waiting: { alone: boolean; start: () => void }[] = [];
  let runningCount = 0;
  let runsAlone = false;

  function admit(): void {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (runsAlone || (next.alone && runningCount > 0)) return;
      waiting.shift();
      runningCount++;
      runsAlone = next.alone;
      next.start();
    }
  }

  return {
    enter(alone) {
      const { promise, resolve } = Promise.withResolvers<() => void>();
      const leave = () => {
        runningCount--;
        runsAlone = false;
        admit();
      };
      waiting.push({ alone, start: () => resolve(leave) });
      admit();
      return promise;
    },
  };
}
