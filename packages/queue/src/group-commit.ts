/**
 * Gathers calls of many jobs into one statement. While a flush is under way new items wait; when it ends they go
 * together. A lone item goes at once, so that a quiet system pays no delay and a busy one no fsync per item.
 */
export interface GroupCommit<In, Out> {
  add(item: In): Promise<Out>;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

interface Waiting<In, Out> {
  item: In;
  resolve(out: Out): void;
  reject(error: unknown): void;
}

export function createGroupCommit<In, Out>(options: {
  /** One result per item, in order. */
  flush(items: In[]): Promise<Out[]>;
  /** A bigger batch holds its locks longer and gains little. */
  maxItems: number;
}): GroupCommit<In, Out> {
  const { flush, maxItems } = options;
  let waiting: Waiting<In, Out>[] = [];
  let running: Promise<void> | null = null;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxItems);
      waiting = waiting.slice(maxItems);
      await flushBatch(batch);
    }
    running = null;
  }

  async function flushBatch(batch: Waiting<In, Out>[]): Promise<void> {
    try {
      const results = await flush(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, i) => {
        if (i < results.length) resolve(results[i] as Out);
        else reject(new Error("a batch returned fewer results than it had items"));
      });
    } catch (error) {
      // Only an item's own data can be mended by leaving it out; a dead server fails every part alike.
      if (batch.length === 1 || !isDataError(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      const middle = Math.ceil(batch.length / 2);
      await flushBatch(batch.slice(0, middle));
      await flushBatch(batch.slice(middle));
    }
  }

  return {
    add(item) {
      const { promise, resolve, reject } = Promise.withResolvers<Out>();
      waiting.push({ item, resolve, reject });
      // A microtask later, so that items of one tick share the first batch.
      running ??= Promise.resolve().then(drain);
      return promise;
    },
    async idle() {
      while (running !== null) await running;
    },
  };
}

/** SQLSTATE classes 22 (data exception) and 23 (constraint violation). */
export function isDataError(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^2[23]\d{3}$/.test(error.code)
  );
}
