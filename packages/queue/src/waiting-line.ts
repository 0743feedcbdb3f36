import { RetryableError } from "@clipmill/domain";

/** An item that waits for its flush, and its caller's promise. */
export interface Waiting<In, Out> {
  item: In;
  resolve(out: Out): void;
  reject(error: unknown): void;
}

/** What may wait at once, and for how long each. More is refused, so that whoever is served still waits for it. */
export interface WaitingLimits {
  maxItems: number;
  maxMs: number;
}

/** Items in the order in which they came. Those that nobody waits for any more leave it, and cost nothing. */
export interface WaitingLine<In, Out> {
  readonly length: number;
  /**
   * Rejects with RetryableError `unavailable` where the line is full, or the item's time in it is over; with the signal's
   * reason where its caller gives up while it is in line.
   */
  join(item: In, signal: AbortSignal | undefined): Promise<Out>;
  /** The next items up to this weight, at least one. From here on neither time nor caller takes them back. */
  take(maxWeight: number, weigh: (item: In) => number): Waiting<In, Out>[];
}

interface InLine<In, Out> extends Waiting<In, Out> {
  leave(): void;
}

/** `limits` default: none. */
export function createWaitingLine<In, Out>(limits?: WaitingLimits): WaitingLine<In, Out> {
  // A Set keeps the order, and whoever leaves from the middle costs no search.
  const line = new Set<InLine<In, Out>>();

  function join(item: In, signal: AbortSignal | undefined): Promise<Out> {
    const { promise, resolve, reject } = Promise.withResolvers<Out>();
    if (signal?.aborted === true) {
      reject(signal.reason);
      return promise;
    }
    if (limits !== undefined && line.size >= limits.maxItems) {
      reject(toBusy(`${line.size} wait already`));
      return promise;
    }
    const giveUp = (reason: unknown) => {
      entry.leave();
      reject(reason);
    };
    const onAbort = () => giveUp(signal?.reason);
    const timer =
      limits &&
      setTimeout(() => giveUp(toBusy(`none was free in ${limits.maxMs} ms`)), limits.maxMs);
    const entry: InLine<In, Out> = {
      item,
      resolve,
      reject,
      leave() {
        line.delete(entry);
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      },
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    line.add(entry);
    return promise;
  }

  return {
    get length() {
      return line.size;
    },
    join,
    take(maxWeight, weigh) {
      const taken: InLine<In, Out>[] = [];
      let weight = 0;
      for (const entry of line) {
        weight += weigh(entry.item);
        if (taken.length > 0 && weight > maxWeight) break;
        taken.push(entry);
      }
      for (const entry of taken) entry.leave();
      return taken;
    },
  };
}

/** Not all at the same moment, or they would meet a full line again. */
const RETRY_AFTER_MS = { least: 2_000, most: 6_000 };

function toBusy(why: string): RetryableError {
  const { least, most } = RETRY_AFTER_MS;
  const retryAfterMs = least + Math.random() * (most - least);
  const message = `more comes than the database can take (${why}); nothing was accepted`;
  return new RetryableError("unavailable", message, { retryAfterMs });
}
