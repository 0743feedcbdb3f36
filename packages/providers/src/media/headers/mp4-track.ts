import type { Track } from "../tracks.ts";
import { type BoxMap, toBoxes, toBoxMap, toEntries, toType } from "./boxes.ts";
import { readDescription, toTrackType } from "./mp4-codecs.ts";
import type { Chunks } from "./mp4-layout.ts";
import { readSamples, type SampleTimes } from "./mp4-tables.ts";
import { insist } from "./not-plain.ts";

/** A track and its place on the timeline of the file, in seconds. */
export interface TimedTrack {
  track: Track;
  startSeconds: number;
  /** A measure of the track ends between these. */
  endsAfterSeconds: number;
  endsBeforeSeconds: number;
  chunks: Chunks;
}

const SAMPLE_TABLES = "stsd,stts,ctts,stsc,stsz,stco,co64,stss,sdtp,sgpd,sbgp".split(",");

const ENABLED = 1;

/** A `trak` box. `index` is its place among the tracks. Throws NotPlain. */
export function readTrack(
  trak: Buffer,
  { index, movieScale }: { index: number; movieScale: number },
): TimedTrack {
  const boxes = toBoxMap(toBoxes(trak), ["tkhd", "edts", "mdia"]);
  const head = boxes.get("tkhd");
  insist(head.length === (readVersion(head) === 0 ? 84 : 96));
  const media = toBoxMap(toBoxes(boxes.get("mdia")), ["mdhd", "hdlr", "minf"]);
  const type = toTrackType(media.get("hdlr"));
  const tables = readTables(media.get("minf"), type);
  const { times, chunks } = readSamples(tables);
  const edit = readEdit(boxes.find("edts"), movieScale);
  const scale = readMediaScale(media.get("mdhd"));
  const track = {
    index,
    type,
    ...readDescription(tables.get("stsd"), type),
    isKnown: true,
    isDefault: (head.readUInt32BE(0) & ENABLED) !== 0,
  };
  return { track, chunks, ...toPlace(times, edit, scale) };
}

function readVersion(box: Buffer): number {
  const version = box.readUInt8(0);
  insist(version <= 1);
  return version;
}

function readMediaScale(head: Buffer): number {
  const isShort = readVersion(head) === 0;
  insist(head.length === (isShort ? 24 : 36));
  const scale = head.readUInt32BE(isShort ? 12 : 20);
  insist(scale > 0);
  return scale;
}

/** The sample tables, once it is sure that they speak of this file and no other. */
function readTables(information: Buffer, type: "audio" | "video"): BoxMap {
  const head = type === "audio" ? "smhd" : "vmhd";
  const boxes = toBoxMap(toBoxes(information), [head, "dinf", "stbl"]);
  const references = toBoxMap(toBoxes(boxes.get("dinf")), ["dref"]).get("dref");
  insist(references.length > 8 && references.readUInt32BE(4) === 1);
  const inThisFile = toBoxMap(toBoxes(references.subarray(8)), ["url "]).get("url ");
  insist(inThisFile.length === 4 && inThisFile.readUInt32BE(0) === 1);
  const tables = toBoxMap(toBoxes(boxes.get("stbl")), SAMPLE_TABLES);
  for (const name of ["sgpd", "sbgp"]) {
    const group = tables.find(name);
    // How many samples a decoder of sound needs before it is at its best.
    insist(group === undefined || (group.length >= 12 && toType(group, 4) === "roll"));
  }
  return tables;
}

/** Where a track starts on the timeline, and which part of it is played. */
interface Edit {
  emptySeconds: number;
  /** In the time scale of the track. */
  mediaTime: number;
  playedSeconds: number;
}

const WHOLE: Edit = { emptySeconds: 0, mediaTime: 0, playedSeconds: Infinity };
const NORMAL_RATE = 0x00_01_00_00;

/** One pause at most, and then one part that is played: what encoders write. */
function readEdit(edits: Buffer | undefined, movieScale: number): Edit {
  if (edits === undefined) return WHOLE;
  const list = toBoxMap(toBoxes(edits), ["elst"]).get("elst");
  insist(readVersion(list) === 0);
  const { count, entries } = toEntries(list, 12);
  insist(count === 1 || count === 2);
  const hasPause = count === 2;
  const at = hasPause ? 12 : 0;
  insist(!hasPause || entries.readInt32BE(4) === -1);
  for (let entry = 0; entry < count; entry++) {
    insist(entries.readUInt32BE(entry * 12 + 8) === NORMAL_RATE);
  }
  const playedSeconds = entries.readUInt32BE(at) / movieScale;
  const mediaTime = entries.readInt32BE(at + 4);
  insist(mediaTime >= 0 && playedSeconds > 0);
  return {
    emptySeconds: hasPause ? entries.readUInt32BE(0) / movieScale : 0,
    mediaTime,
    playedSeconds,
  };
}

function toPlace(
  { firstPts, lastDts, endPts }: SampleTimes,
  { emptySeconds, mediaTime, playedSeconds }: Edit,
  scale: number,
): Omit<TimedTrack, "track" | "chunks"> {
  const toSeconds = (time: number) => (time - mediaTime) / scale;
  return {
    startSeconds: emptySeconds + Math.max(0, toSeconds(firstPts)),
    endsAfterSeconds: emptySeconds + Math.min(toSeconds(lastDts), playedSeconds),
    endsBeforeSeconds: emptySeconds + toSeconds(endPts),
  };
}
