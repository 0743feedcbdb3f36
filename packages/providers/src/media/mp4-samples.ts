/** Boxes that hold other boxes, on the way from the index to a track's tables. */
const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "stbl"]);

/** The tables of one track that say where its samples lie in the file. */
interface Tables {
  /** Sizes of samples. */
  stsz?: Buffer;
  /** How many samples the chunks have, by the first chunk of each run. */
  stsc?: Buffer;
  /** Where the chunks start, in 32 or 64 bits. */
  stco?: Buffer;
  co64?: Buffer;
}

/**
 * Where the last sample ends that an MP4's index (its whole `moov` box) names, in bytes from the start of the file; null
 * where it names none, or its tables cannot be read. Samples of fragments are not in it.
 */
export function findSamplesEnd(moov: Buffer): number | null {
  const tracks: Tables[] = [];
  try {
    collect(moov, tracks);
    return Math.max(0, ...tracks.map(findTrackEnd)) || null;
  } catch (error) {
    // A table that says more entries than it holds.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function collect(boxes: Buffer, tracks: Tables[]): void {
  for (let at = 0; at + 8 <= boxes.length;) {
    const size = boxes.readUInt32BE(at);
    const type = boxes.toString("latin1", at + 4, at + 8);
    if (size < 8 || at + size > boxes.length) return;
    const content = boxes.subarray(at + 8, at + size);
    if (type === "trak") tracks.push({});
    if (CONTAINERS.has(type)) collect(content, tracks);
    const track = tracks.at(-1);
    if (track !== undefined && isTable(type)) track[type] = content;
    at += size;
  }
}

function isTable(type: string): type is keyof Tables {
  return type === "stsz" || type === "stsc" || type === "stco" || type === "co64";
}

/** A table starts with a version, flags and, but for `stsz`, the number of its entries. */
const ENTRIES_AT = 8;

function findTrackEnd({ stsz, stsc, stco, co64 }: Tables): number {
  const chunks = stco ?? co64;
  if (stsz === undefined || stsc === undefined || chunks === undefined) return 0;
  const fixedBytes = stsz.readUInt32BE(4);
  const sampleCount = stsz.readUInt32BE(8);
  const chunkCount = chunks.readUInt32BE(4);
  const runCount = stsc.readUInt32BE(4);
  let end = 0;
  let sample = 0;
  let run = 0;
  for (let chunk = 0; chunk < chunkCount && sample < sampleCount; chunk++) {
    // Chunks count from 1.
    while (run + 1 < runCount && stsc.readUInt32BE(ENTRIES_AT + (run + 1) * 12) <= chunk + 1) run++;
    const inChunk = Math.min(stsc.readUInt32BE(ENTRIES_AT + run * 12 + 4), sampleCount - sample);
    let bytes = fixedBytes * inChunk;
    if (fixedBytes === 0) {
      for (let i = 0; i < inChunk; i++) bytes += stsz.readUInt32BE(12 + (sample + i) * 4);
    }
    const start =
      stco === undefined
        ? Number(chunks.readBigUInt64BE(ENTRIES_AT + chunk * 8))
        : chunks.readUInt32BE(ENTRIES_AT + chunk * 4);
    if (bytes > 0) end = Math.max(end, start + bytes);
    sample += inChunk;
  }
  return end;
}
