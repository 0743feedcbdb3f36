export interface PidLock {
  /** The lock outlives this process for as long as `pid` lives. */
  addHolder(pid: number): void;
  release(): void;
}

/** Takes the lock at once, or tells who holds it. Dead holders count as none. */
export function tryPidLock(
  path: string,
): { lock: PidLock; heldBy?: undefined } | { lock?: undefined; heldBy: number };

/** The pid of a living holder of the lock at `path`, or null. */
export function findHolder(path: string): number | null;

/** What tells a process from a later one with the same pid; null: there is no such process. */
export function identifyProcess(pid: number): string | null;
