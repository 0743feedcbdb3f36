import { cutText } from "@clipmill/domain";
import type { UntimedSegment } from "../fill-times.ts";

/** A segment with what the server says of it; null: it does not say. */
export interface ReadSegment extends UntimedSegment {
  noSpeechProb: number | null;
  avgLogprob: number | null;
  compressionRatio: number | null;
}

/** What an answer holds, whichever dialect it is written in. */
export interface ReadAnswer {
  /** Null where there is none beside the segments. */
  text: string | null;
  language: string | null;
  segments: ReadSegment[];
  /** The segments are single words. */
  areWords: boolean;
}

/** The first of these that holds anything is read. */
const TEXTS = ["text", "transcript", "transcription"];
const LANGUAGES = ["language", "language_code", "detected_language", "lang"];
const LISTS = ["segments", "chunks", "transcription", "utterances"];
const WRAPPERS = ["result", "data", "results", "output", "response"];
const DEPTH_MAX = 3;
/** An hour of single words has 10,000. */
const ENTRIES_MAX = 50_000;
/** And 100,000 characters at most. */
const TEXT_MAX_CHARS = 1_000_000;

/**
 * Finds text, language and segments in what a transcription server sent: OpenAI's shape, whisper.cpp's own, lists of
 * words or of chunks, and wrapped ones. Null where there is neither text nor a list of segments.
 */
export function readAnswer(value: unknown, depth = 0): ReadAnswer | null {
  if (typeof value === "string") return { ...NOTHING, text: value };
  if (Array.isArray(value)) return readList(value, depth);
  if (typeof value !== "object" || value === null) return null;
  const fields = toFields(value);
  const text = findText(fields, TEXTS);
  const language =
    findText(fields, LANGUAGES) ?? findText(toFields(fields.get("result")), LANGUAGES);
  const segments = readSegments(findList(fields, LISTS));
  if (segments.length > 0) return { text, language, segments, areWords: false };
  const words = readSegments(findList(fields, ["words"]));
  if (words.length > 0) return { text, language, segments: words, areWords: true };
  if (text !== null || LISTS.some((name) => Array.isArray(fields.get(name)))) {
    return { ...NOTHING, text, language };
  }
  if (depth === DEPTH_MAX) return null;
  for (const name of WRAPPERS) {
    const inner = readAnswer(fields.get(name), depth + 1);
    if (inner !== null) return { ...inner, language: inner.language ?? language };
  }
  return null;
}

const NOTHING: ReadAnswer = { text: null, language: null, segments: [], areWords: false };

/** A list of one answer, or a bare list of segments. */
function readList(list: readonly unknown[], depth: number): ReadAnswer | null {
  const segments = readSegments(list);
  const isTimed = segments.some(({ startMs }) => startMs !== null);
  if (list.length === 1 && !isTimed && depth < DEPTH_MAX) return readAnswer(list[0], depth + 1);
  return segments.length === 0 ? null : { ...NOTHING, segments };
}

function toFields(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

function findText(fields: ReadonlyMap<string, unknown>, names: readonly string[]): string | null {
  const found = names.map((name) => fields.get(name)).find((each) => typeof each === "string");
  return typeof found === "string" ? cutText(found, TEXT_MAX_CHARS) : null;
}

/** A list, also where it came as an object with numbers for names. */
function findList(fields: ReadonlyMap<string, unknown>, names: readonly string[]): unknown[] {
  for (const name of names) {
    const value = fields.get(name);
    const list = typeof value === "object" && value !== null ? Object.values(value) : [];
    if (list.length > 0) return list.slice(0, ENTRIES_MAX);
  }
  return [];
}

/** Entries without text are left out. */
function readSegments(list: readonly unknown[]): ReadSegment[] {
  return list.flatMap((entry) => {
    const fields = toFields(entry);
    const text =
      typeof entry === "string" ? entry : findText(fields, ["text", "word", "transcript"]);
    if (text === null || text.trim() === "") return [];
    const [startMs, endMs] = readTimes(fields);
    return {
      text,
      startMs,
      endMs,
      noSpeechProb: toNumber(fields.get("no_speech_prob")),
      avgLogprob: toNumber(fields.get("avg_logprob")),
      compressionRatio: toNumber(fields.get("compression_ratio")),
    };
  });
}

/** Seconds in `start` and `end` or `timestamp: [start, end]`; ms in whisper.cpp's `offsets`. */
function readTimes(fields: ReadonlyMap<string, unknown>): [number | null, number | null] {
  const offsets = toFields(fields.get("offsets"));
  if (offsets.size > 0) return [toNumber(offsets.get("from")), toNumber(offsets.get("to"))];
  const pair = fields.get("timestamp");
  const [from, to] = Array.isArray(pair) ? pair : [];
  return [
    toMs(fields.get("start") ?? fields.get("start_time") ?? from),
    toMs(fields.get("end") ?? fields.get("end_time") ?? to),
  ];
}

function toMs(value: unknown): number | null {
  const seconds = toNumber(value) ?? readClock(value);
  return seconds === null ? null : seconds * 1000;
}

function toNumber(value: unknown): number | null {
  const isText =
    typeof value === "string" && /^\s{0,9}-?\d{1,12}(\.\d{1,12})?s?\s{0,9}$/.test(value);
  const number = isText ? Number.parseFloat(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

/** `00:01:02,500` and `01:02.5` in seconds. */
function readClock(value: unknown): number | null {
  if (typeof value !== "string") return null;
  const parts = /^\s{0,9}(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,6})?)\s{0,9}$/.exec(value);
  if (parts === null) return null;
  const [, hours = "0", minutes = "0", seconds = "0"] = parts;
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds.replace(",", "."));
}
