/**
 * The slots of one queue in this process. A job gets one by its hint, or it starts eagerly: claimed in the transaction that
 * ended the step before it. The last slot is always for hints. If one is too few for them, the dispatcher's window fills and
 * work waits in Postgres, and while it does, nothing of this queue starts eagerly.
 */
export interface Slots {
  readonly size: number;
  /** For the job of a hint. Lower ranks go first, then first come, first served. Default rank 0. */
  take(rank?: number): Promise<void>;
  leave(): void;
  /** For eager starts: how many of `max` slots were free; never all. */
  takeEager(max: number): number;
  /** Gives back slots of eager starts, used or not. */
  leaveEager(count: number): void;
  /** So many more (or fewer) eager starts are expected soon: as many slots are kept from hints as they come free. */
  expectEager(count: number): void;
  /** Whether slots are kept for expected eager starts, default true. Where none comes of it, they stand idle while hints wait. */
  keepExpected(isWorthIt: boolean): void;
  /** Slots that no job has, those that are kept for eager starts left out. */
  freeCount(): number;
}

export function createSlots(size: number): Slots {
  const eagerMax = size - 1;
  const waiting: { rank: number; start(): void }[] = [];
  let free = size;
  let eager = 0;
  /** Idle, but kept from hints for eager starts. */
  let kept = 0;
  let expected = 0;
  let keepsExpected = true;

  /** Keeps idle slots for expected eager starts, as many as are wanted, and gives the others to waiting hints. */
  function share(): void {
    const wanted = keepsExpected ? Math.max(0, Math.min(expected, eagerMax) - eager) : 0;
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
      const count = Math.min(max, free + kept, eagerMax - eager);
      const fromKept = Math.min(kept, count);
      kept -= fromKept;
      free -= count - fromKept;
      eager += count;
      return count;
    },
    leaveEager(count) {
      eager -= count;
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
    freeCount: () => free,
  };
}
