/**
 * The slots of one queue in this process. A job comes by a hint, or it is carried on: claimed with the end of the step
 * before it. One slot is always for hints. Should that not be enough for them, their window fills, work waits in
 * Postgres, and while it does nothing of this queue is carried on.
 */
export interface Slots {
  readonly size: number;
  /** For a job that comes by a hint: lower ranks first, then first come, first served. Default rank 0. */
  take(rank?: number): Promise<void>;
  leave(): void;
  /** For jobs to be carried on: as many as there are at once, `max` at most and never all. */
  takeEager(max: number): number;
  /** Gives slots back that jobs were carried on in, or were meant to be. */
  leaveEager(count: number): void;
  /** So many more, or fewer, will be carried on soon: as many are kept from hints as they come free. */
  expectEager(count: number): void;
  /** Whether slots are kept for what is expected. Default true. Where nothing came of it they would stand idle while hints wait. */
  keepExpected(isWorthIt: boolean): void;
  isFull(): boolean;
}

export function createSlots(size: number): Slots {
  const eagerMax = size - 1;
  const waiting: { rank: number; start(): void }[] = [];
  let free = size;
  let carried = 0;
  /** Free, but kept from hints. */
  let kept = 0;
  let expected = 0;
  let keepsExpected = true;

  function share(): void {
    const wanted = keepsExpected ? Math.max(0, Math.min(expected, eagerMax) - carried) : 0;
    const surplus = Math.max(0, kept - wanted);
    kept -= surplus;
    free += surplus;
    const missing = Math.min(free, wanted - kept);
    kept += missing;
    free -= missing;
    for (; free > 0 && waiting.length > 0; free--) waiting.shift()?.start();
  }

  return {
    size,
    async take(rank = 0) {
      if (free > 0) {
        free--;
        return;
      }
      const later = waiting.findIndex((other) => other.rank > rank);
      const at = later < 0 ? waiting.length : later;
      await new Promise<void>((start) => waiting.splice(at, 0, { rank, start }));
    },
    leave() {
      free++;
      share();
    },
    takeEager(max) {
      const count = Math.min(max, free + kept, eagerMax - carried);
      const fromKept = Math.min(kept, count);
      kept -= fromKept;
      free -= count - fromKept;
      carried += count;
      return count;
    },
    leaveEager(count) {
      carried -= count;
      free += count;
      share();
    },
    expectEager(count) {
      expected += count;
      share();
    },
    keepExpected(isWorthIt) {
      keepsExpected = isWorthIt;
      share();
    },
    isFull: () => free === 0,
  };
}
