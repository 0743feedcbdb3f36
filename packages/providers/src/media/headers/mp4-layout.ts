import { type BoxMap, toEntries } from "./boxes.ts";
import { insist } from "./not-plain.ts";

/** Where the chunks of a track start and end, in bytes from the start of the file; as its tables list them. */
export interface Chunks {
  starts: Float64Array;
  ends: Float64Array;
}

/** The content of a media box (`mdat`), in bytes from the start of the file. */
export interface Span {
  start: number;
  end: number;
}

/** Throws NotPlain unless the chunks share out the samples between them. `sizes`: of the samples, in bytes. */
export function readChunks(tables: BoxMap, sizes: Uint32Array): Chunks {
  const starts = readStarts(tables);
  const ends = new Float64Array(starts.length);
  const runs = toEntries(tables.get("stsc"), 12);
  insist(runs.count > 0 && runs.entries.readUInt32BE(0) === 1);
  let sample = 0;
  for (let run = 0; run < runs.count; run++) {
    const at = run * 12;
    const firstChunk = runs.entries.readUInt32BE(at);
    const isLast = run + 1 === runs.count;
    // Chunks count from 1.
    const nextChunk = isLast ? starts.length + 1 : runs.entries.readUInt32BE(at + 12);
    insist(nextChunk > firstChunk && nextChunk <= starts.length + 1);
    const inChunk = runs.entries.readUInt32BE(at + 4);
    const description = runs.entries.readUInt32BE(at + 8);
    insist(inChunk > 0 && description === 1);
    for (let chunk = firstChunk; chunk < nextChunk; chunk++) {
      insist(sample + inChunk <= sizes.length);
      let end = starts[chunk - 1] ?? NaN;
      for (let i = 0; i < inChunk; i++) end += sizes[sample++] ?? NaN;
      ends[chunk - 1] = end;
    }
  }
  insist(sample === sizes.length);
  return { starts, ends };
}

function readStarts(tables: BoxMap): Float64Array {
  const short = tables.find("stco");
  const long = tables.find("co64");
  insist((short === undefined) !== (long === undefined));
  const isLong = short === undefined;
  const { count, entries } = toEntries(isLong ? tables.get("co64") : short, isLong ? 8 : 4);
  const starts = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    starts[at] = isLong ? Number(entries.readBigUInt64BE(at * 8)) : entries.readUInt32BE(at * 4);
  }
  return starts;
}

/**
 * Throws NotPlain unless the chunks of all tracks fill the media boxes, byte for byte: then no size, place or number of
 * samples can be wrong, since each would move all that follow.
 */
export function checkLayout(tracks: readonly Chunks[], media: readonly Span[]): void {
  const waiting = tracks.map((chunks) => ({ ...chunks, next: 0 }));
  for (const { start, end } of media) {
    let at = start;
    while (at < end) {
      const track = waiting.find(({ starts, next }) => starts[next] === at);
      insist(track !== undefined);
      at = track.ends[track.next++] ?? NaN;
    }
    insist(at === end);
  }
  insist(waiting.every(({ starts, next }) => next === starts.length));
}
