import { sleep } from "../sleep.ts";

/** Resolves after the pause or sooner, or at once when the signal aborts; never rejects. */
export type SharedPause = (signal: AbortSignal) => Promise<void>;

/** A pause that ends for all at the same moment: whoever comes while others wait shares what is left of theirs. */
export function createSharedPause(ms: number): SharedPause {
  let current: Promise<void> | null = null;
  return (signal) => {
    current ??= sleep(ms, signal).finally(() => {
      current = null;
    });
    return current;
  };
}
