import { type BoxMap, toEntries } from "./boxes.ts";
import { insist } from "./not-plain.ts";

/** The times of a track's samples, in its own time scale. */
export interface SampleTimes {
  /** When the first is shown. */
  firstPts: number;
  /** When the last is decoded. */
  lastDts: number;
  /** When the last that is shown ends. */
  endPts: number;
}

const MAX_INT32 = 0x7f_ff_ff_ff;

/**
 * The times in a track's sample tables. Throws NotPlain unless all tables speak of the same number of samples, and all of
 * these lie in the file. Takes time in proportion to the bytes of the tables, whatever numbers are in them.
 */
export function readSampleTimes(tables: BoxMap, fileSize: number): SampleTimes {
  const sizes = readSizes(tables.get("stsz"));
  checkPlaces(tables, sizes, fileSize);
  checkKeyframes(tables.find("stss"), sizes.length);
  const played = tables.find("sdtp");
  insist(played === undefined || played.length === sizes.length + 4);
  return readTimes(tables, sizes.length);
}

function readSizes(table: Buffer): Uint32Array {
  // Version and flags, a size for all (as raw sound has it), the number of samples.
  insist(table.readUInt32BE(4) === 0);
  const count = table.readUInt32BE(8);
  insist(count > 0 && table.length === 12 + count * 4);
  const sizes = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const size = table.readUInt32BE(12 + at * 4);
    insist(size > 0);
    sizes[at] = size;
  }
  return sizes;
}

function checkPlaces(tables: BoxMap, sizes: Uint32Array, fileSize: number): void {
  const places = readPlaces(tables);
  const runs = toEntries(tables.get("stsc"), 12);
  insist(runs.count > 0 && runs.entries.readUInt32BE(0) === 1);
  let sample = 0;
  for (let run = 0; run < runs.count; run++) {
    const at = run * 12;
    const firstChunk = runs.entries.readUInt32BE(at);
    const isLast = run + 1 === runs.count;
    // Chunks count from 1.
    const nextChunk = isLast ? places.length + 1 : runs.entries.readUInt32BE(at + 12);
    insist(nextChunk > firstChunk && nextChunk <= places.length + 1);
    const inChunk = runs.entries.readUInt32BE(at + 4);
    const description = runs.entries.readUInt32BE(at + 8);
    insist(inChunk > 0 && description === 1);
    for (let chunk = firstChunk; chunk < nextChunk; chunk++) {
      insist(sample + inChunk <= sizes.length);
      let end = places[chunk - 1] ?? NaN;
      for (let i = 0; i < inChunk; i++) end += sizes[sample++] ?? NaN;
      insist(end <= fileSize);
    }
  }
  insist(sample === sizes.length);
}

/** Where the chunks start, in bytes from the start of the file. */
function readPlaces(tables: BoxMap): Float64Array {
  const short = tables.find("stco");
  const isLong = short === undefined;
  const { count, entries } = isLong ? toEntries(tables.get("co64"), 8) : toEntries(short, 4);
  insist(isLong || tables.find("co64") === undefined);
  const places = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const place = isLong ? Number(entries.readBigUInt64BE(at * 8)) : entries.readUInt32BE(at * 4);
    insist(Number.isSafeInteger(place));
    places[at] = place;
  }
  return places;
}

/** What is copied starts with a keyframe, so the first sample has to be one. */
function checkKeyframes(table: Buffer | undefined, sampleCount: number): void {
  if (table === undefined) return;
  const { count, entries } = toEntries(table, 4);
  insist(count > 0 && count <= sampleCount && entries.readUInt32BE(0) === 1);
}

/** Runs of samples with one value each. */
interface Runs {
  count: number;
  entries: Buffer;
}

function readTimes(tables: BoxMap, sampleCount: number): SampleTimes {
  const durations = toEntries(tables.get("stts"), 8);
  const shifts = toShifts(tables.find("ctts"), sampleCount);
  insist(durations.count > 0);
  let sample = 0;
  let dts = 0;
  let last = 0;
  let endPts = 0;
  let shiftRun = 0;
  let shiftEnd = shifts.entries.readUInt32BE(0);
  for (let run = 0; run < durations.count; run++) {
    const runSamples = durations.entries.readUInt32BE(run * 8);
    last = durations.entries.readUInt32BE(run * 8 + 4);
    insist(runSamples > 0 && last > 0 && last <= MAX_INT32);
    const runEnd = sample + runSamples;
    insist(runEnd <= sampleCount);
    while (sample < runEnd) {
      // The latest of the samples that share duration and shift is the last of them.
      const until = Math.min(runEnd, shiftEnd);
      dts += (until - sample) * last;
      endPts = Math.max(endPts, dts + shifts.entries.readInt32BE(shiftRun * 8 + 4));
      sample = until;
      if (sample === shiftEnd && sample < sampleCount) {
        shiftRun++;
        insist(shiftRun < shifts.count);
        const inRun = shifts.entries.readUInt32BE(shiftRun * 8);
        insist(inRun > 0);
        shiftEnd += inRun;
      }
    }
  }
  insist(sample === sampleCount && shiftEnd === sampleCount && shiftRun + 1 === shifts.count);
  return { firstPts: shifts.entries.readInt32BE(4), lastDts: dts - last, endPts };
}

/** How much later than they are decoded samples are shown; without a table none is. */
function toShifts(table: Buffer | undefined, sampleCount: number): Runs {
  if (table !== undefined) {
    const shifts = toEntries(table, 8);
    insist(shifts.count > 0 && shifts.entries.readUInt32BE(0) > 0);
    return shifts;
  }
  const entries = Buffer.alloc(8);
  entries.writeUInt32BE(sampleCount, 0);
  return { count: 1, entries };
}
