import { LRUCache } from "lru-cache";

/** An answer as it was sent, and the version of what it is made of. */
export interface KnownAnswer {
  version: string;
  body: Buffer;
}

export interface AnswerMemory {
  get(key: string): KnownAnswer | undefined;
  set(key: string, answer: KnownAnswer): void;
}

/** About what an entry takes beside its body: keys, version, the list that knows its age. */
const ENTRY_BYTES = 500;

/**
 * Keeps the answers that were asked for last, within `maxBytes`; 0 keeps none. Whoever takes one first asks whether
 * its version is still the current one, so the memory saves work and never an answer that has changed.
 */
export function createAnswerMemory(maxBytes: number): AnswerMemory {
  if (maxBytes === 0) return { get: () => undefined, set() {} };
  return new LRUCache<string, KnownAnswer>({
    maxSize: maxBytes,
    sizeCalculation: ({ body }) => body.length + ENTRY_BYTES,
  });
}
