/** How long stages take in this process, on average. */
export interface RunTimes {
  /**
   * `hasResult` false: the run failed or was put off. It counts only where it makes the mean longer, because a run with a
   * result would have taken at least as long. So a paused upstream, which refuses at once, makes no stage quick.
   */
  note(stage: string, durationMs: number, hasResult: boolean): void;
  /** A stage that never ran here is not quick: nobody knows how long it takes. */
  isQuick(stage: string): boolean;
}

/** Only stages with a mean run time below this start eagerly; slower ones would keep queued jobs waiting for their slots. */
const QUICK_MS = 1_000;
/** Weight of the latest run in the mean. */
const LATEST = 1 / 8;

export function createRunTimes(): RunTimes {
  const meanMs = new Map<string, number>();
  return {
    note(stage, durationMs, hasResult) {
      const before = meanMs.get(stage);
      if (!hasResult && durationMs < (before ?? Number.POSITIVE_INFINITY)) return;
      const base = before ?? durationMs;
      meanMs.set(stage, base + (durationMs - base) * LATEST);
    },
    isQuick: (stage) => (meanMs.get(stage) ?? QUICK_MS) < QUICK_MS,
  };
}
