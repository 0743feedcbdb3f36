import { type AsrInput, type AsrOutput, normalizeText, type Segment } from "@clipmill/domain";
import { z } from "zod";
import { parseUpstreamJson } from "../../http/upstream-json.ts";
import { fillTimes, type UntimedSegment } from "../fill-times.ts";
import { tidySegments } from "../tidy-segments.ts";
import { toLanguageTag } from "../to-language-tag.ts";
import { wordsToSegments } from "../words-to-segments.ts";
import { type ReadAnswer, readAnswer, type ReadSegment } from "./read-answer.ts";

/** What is read of an answer. */
export type OpenAiAnswer = Pick<AsrOutput, "language" | "segments"> & { saidNoSpeech: boolean };

/**
 * Reads a transcription answer as loosely as it can: JSON in the dialects of `readAnswer`, or plain text. Times that
 * are missing are estimated and marked. Null where there is nothing to read.
 */
export function parseOpenAiAnswer(
  body: string,
  { durationMs, language }: Pick<AsrInput, "durationMs" | "language">,
): OpenAiAnswer | null {
  const json = parseUpstreamJson(body);
  const answer = readAnswer(json === undefined ? toPlainText(body) : json);
  if (answer === null) return null;
  const spoken = answer.segments.filter((segment) => !isInvented(segment));
  return {
    language: toLanguageTag(answer.language) ?? toLanguageTag(language),
    segments: tidySegments(toSegments(answer, spoken, durationMs)),
    saidNoSpeech: isMostlyNoSpeech(spoken),
  };
}

/** Whether this is no answer of a transcription server, but nothing, or the page of a proxy before it. */
export function isNoAnswer(body: string): boolean {
  return /^\uFEFF?\s{0,1000}(<|$)/.test(body);
}

/** An answer in the format `text`. What looks like JSON or a page is none. */
function toPlainText(body: string): string | null {
  return isNoAnswer(body) || /^\uFEFF?\s{0,1000}[{[]/.test(body) ? null : body;
}

function toSegments(
  answer: ReadAnswer,
  spoken: readonly ReadSegment[],
  durationMs: number,
): Segment[] {
  const text = answer.text ?? "";
  // Plain `json` has no times, and some servers send a list with empty texts beside the whole one.
  if (answer.segments.length === 0) {
    return fillTimes([{ startMs: null, endMs: null, text }], durationMs);
  }
  const timed = fillTimes([...spoken, ...toRest(text, answer.segments)], durationMs);
  return answer.areWords ? wordsToSegments(timed) : timed;
}

/** Of a text this much may be missing from its segments: they differ in punctuation. */
const MISSING_MAX = 0.1;

/** What a text says beyond its segments, if it begins as they do. */
function toRest(text: string, segments: readonly UntimedSegment[]): UntimedSegment[] {
  const all = toLetters(text);
  const told = toLetters(segments.map((segment) => segment.text).join(""));
  if (told.length >= all.length * (1 - MISSING_MAX) || !all.startsWith(told)) return [];
  let at = 0;
  const normal = normalizeText(text);
  for (let letters = 0; letters < told.length; at++) {
    if (!BETWEEN_LETTERS.test(normal.charAt(at))) letters++;
  }
  return [{ startMs: null, endMs: null, text: normal.slice(at).replace(LEFT_OVER, "") }];
}

/** What closes the sentence before. */
const LEFT_OVER = /^[\s.,!?;:…。！？、，]{1,20}/u;
const BETWEEN_LETTERS = /^[\s\p{P}]$/u;

function toLetters(text: string): string {
  return normalizeText(text).replace(/[\s\p{P}]/gu, "");
}

/** Whisper's own thresholds, as its decoders have them. */
const NO_SPEECH_OVER = 0.6;
const LOGPROB_UNDER = -1;
const COMPRESSION_OVER = 2.4;

function isNoSpeech({ noSpeechProb }: ReadSegment): boolean {
  return noSpeechProb !== null && noSpeechProb > NO_SPEECH_OVER;
}

/** The server says "no speech", and is unsure of its words or wrote the same ones again and again. */
function isInvented(segment: ReadSegment): boolean {
  const { avgLogprob, compressionRatio } = segment;
  const isUnsure = avgLogprob !== null && avgLogprob < LOGPROB_UNDER;
  const isLoop = compressionRatio !== null && compressionRatio > COMPRESSION_OVER;
  return isNoSpeech(segment) && (isUnsure || isLoop);
}

/** By length: over half of the text stands in segments of which the server says that they are no speech. */
function isMostlyNoSpeech(segments: readonly ReadSegment[]): boolean {
  const toLength = (some: readonly ReadSegment[]) =>
    some.reduce((sum, { text }) => sum + text.length, 0);
  return toLength(segments.filter(isNoSpeech)) * 2 > toLength(segments);
}

const ErrorBody = z.object({
  error: z.union([
    z.string().transform((message) => ({ message, code: null, param: null, type: null })),
    z.looseObject({
      message: z.string().nullish().catch(null),
      code: z
        .union([z.string(), z.number().transform(String)])
        .nullish()
        .catch(null),
      param: z.string().nullish().catch(null),
      type: z.string().nullish().catch(null),
    }),
  ]),
});

/** What a server says of an error, in lower case; empty where it does not. For decisions only, never shown. */
export interface ServerError {
  code: string;
  type: string;
  param: string;
  message: string;
}

const ERROR_MAX_CHARS = 1_000;

/** OpenAI's error body; null where the body has none. */
export function parseErrorBody(body: string): ServerError | null {
  const parsed = ErrorBody.safeParse(parseUpstreamJson(body));
  if (!parsed.success) return null;
  const { code, type, param, message } = parsed.data.error;
  const [c, t, p, m] = [code, type, param, message].map((value) =>
    (value ?? "").slice(0, ERROR_MAX_CHARS).toLowerCase(),
  );
  return { code: c ?? "", type: t ?? "", param: p ?? "", message: m ?? "" };
}
