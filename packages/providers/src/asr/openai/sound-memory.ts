/** Memory for the sound of clips, used again: two clips are sent and prepared at a time, and most are of a size. */
export interface SoundMemory {
  /** So many bytes, with anything in them. */
  take(bytes: number): Buffer;
  /** To be called only when nobody reads it any more; whoever is not sure keeps it. */
  give(sound: Buffer): void;
}

/** How much memory without a use is kept. */
const KEPT_COUNT = 3;

/**
 * What a worker takes outside of its heap makes V8 collect garbage by the few megabytes, and 400 kB for each clip of 12 s
 * cost a fifth of its CPU.
 */
export function createSoundMemory(): SoundMemory {
  const kept: ArrayBuffer[] = [];
  return {
    take(bytes) {
      const at = kept.findIndex(({ byteLength }) => byteLength >= bytes);
      const [memory = new ArrayBuffer(toSize(bytes))] = at < 0 ? [] : kept.splice(at, 1);
      return Buffer.from(memory, 0, bytes);
    },
    give({ buffer }) {
      if (!(buffer instanceof ArrayBuffer)) return;
      kept.push(buffer);
      if (kept.length > KEPT_COUNT) kept.shift();
    },
  };
}

/** A power of two, so that the memory of one clip serves the next. */
function toSize(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(bytes, 64 * 1024)));
}
