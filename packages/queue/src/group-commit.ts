import { ClipmillError } from "@clipmill/domain";
import { createWaitingLine, type Waiting, type WaitingLimits } from "./waiting-line.ts";

/**
 * Puts items of many jobs into one statement, because a commit costs an fsync however few rows it carries. An item that
 * comes alone is flushed at once, so a quiet system has no delay; items that come during a flush go together in the next.
 */
export interface GroupCommit<In, Out> {
  /**
   * `signal`: aborted when its caller no longer waits. An item that is still in line then is dropped and never flushed.
   * Rejects as `WaitingLine.join` says, else with the error of its flush.
   */
  add(item: In, signal?: AbortSignal): Promise<Out>;
  /** Resolves when no flush is under way. */
  idle(): Promise<void>;
}

export function createGroupCommit<In, Out>(options: {
  /** One result per item, in order. */
  flush(items: In[]): Promise<Out[]>;
  /** Most items of one flush. A bigger batch holds its locks longer and gains little. */
  maxItems: number;
  /**
   * What an item counts towards `maxItems`. Default 1 each. An item that counts more than that is flushed alone: the
   * bound is on how long a transaction takes, not on how much one job may store.
   */
  weigh?(item: In): number;
  /** Most flushes at once, default 1. A further one starts only with a whole batch: two half batches cost more than one. */
  maxFlushes?: number;
  /** For items of callers without number. Default: none. */
  limits?: WaitingLimits;
}): GroupCommit<In, Out> {
  const { flush, maxItems, maxFlushes = 1, weigh = () => 1, limits } = options;
  const waiting = createWaitingLine<In, Out>(limits);
  const drains = new Set<Promise<void>>();
  let runningCount = 0;

  /** Whether to flush what waits, while `others` flushes are under way. */
  const isWorthAFlush = (others: number) =>
    others === 0 ? waiting.length > 0 : others < maxFlushes && waiting.length >= maxItems;

  async function drain(): Promise<void> {
    while (isWorthAFlush(runningCount - 1)) {
      await flushBatch(waiting.take(maxItems, weigh));
    }
    // In the same tick as the last check: an item that is added after it must start a drain of its own.
    runningCount--;
  }

  function start(): void {
    // A microtask later, so that items of one tick share the first batch.
    runningCount++;
    const drained: Promise<void> = Promise.resolve()
      .then(drain)
      .then(() => void drains.delete(drained));
    drains.add(drained);
  }

  async function flushBatch(batch: Waiting<In, Out>[]): Promise<void> {
    try {
      const results = await flush(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, i) => {
        if (i < results.length) resolve(results[i] as Out);
        else reject(new Error("a batch returned fewer results than it had items"));
      });
    } catch (error) {
      // A server that is away fails every half as well.
      if (batch.length === 1 || isTrouble(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      const middle = Math.ceil(batch.length / 2);
      await flushBatch(batch.slice(0, middle));
      await flushBatch(batch.slice(middle));
    }
  }

  return {
    add(item, signal) {
      const promise = waiting.join(item, signal);
      if (isWorthAFlush(runningCount)) start();
      return promise;
    },
    async idle() {
      while (drains.size > 0) await Promise.all(drains);
    },
  };
}

/**
 * Whether an item's own data is refused, again and again: by a rule of ours, by JavaScript (a BigInt is no JSON, a list is
 * too long), or by Postgres with SQLSTATE class 21 or 22 (data exception), 23 (constraint violation) or 54 (a limit
 * exceeded, such as the length of a key).
 */
export function isItemError(error: unknown): boolean {
  if (error instanceof ClipmillError) return error.entry.disposition === "unrecoverable";
  if (error instanceof RangeError || error instanceof TypeError) return !("code" in error);
  return /^(2[123]|54)[0-9A-Z]{3}$/.test(toCode(error) ?? "");
}

/**
 * Whether no item is at fault, so that another try of the same batch may succeed: the server is away, full, too slow or
 * of another version, or another transaction was in the way. All that Postgres says with other codes, and all that is
 * thrown without one, may come of one item.
 */
function isTrouble(error: unknown): boolean {
  if (error instanceof ClipmillError) return error.entry.disposition !== "unrecoverable";
  const code = toCode(error);
  if (code === null) return error instanceof Error && CONNECTION_MESSAGE.test(error.message);
  return /^(E[A-Z]+$|08|25|28|3D|3F|40|42|53|55|57|58)/.test(code);
}

/** What node-postgres and its pool say without a code. */
const CONNECTION_MESSAGE = /\b(connection|connect|timeout|client|pool)\b/i;

/** An SQLSTATE, or the code of a system call such as `ECONNRESET`. */
function toCode(error: unknown): string | null {
  return error instanceof Error && "code" in error ? String(error.code) : null;
}
