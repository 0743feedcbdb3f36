import { type BoxMap, toEntries } from "./boxes.ts";
import { type Chunks, readChunks } from "./mp4-layout.ts";
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
 * What a track's sample tables say. Throws NotPlain unless all of them speak of the same number of samples. Takes time in
 * proportion to the bytes of the tables, whatever numbers are in them.
 */
export function readSamples(tables: BoxMap): { times: SampleTimes; chunks: Chunks } {
  const sizes = readSizes(tables.get("stsz"));
  checkKeyframes(tables.find("stss"), sizes.length);
  const hints = tables.find("sdtp");
  insist(hints === undefined || hints.length === sizes.length + 4);
  return { times: readTimes(tables, sizes.length), chunks: readChunks(tables, sizes) };
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
