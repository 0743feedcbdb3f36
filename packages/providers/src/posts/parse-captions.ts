import type { Segment } from "@clipmill/domain";
import { tidySegments } from "../asr/tidy-segments.ts";

/** An hour of subtitles has about 100 kB. */
const TEXT_MAX_CHARS = 1_000_000;

/**
 * Reads WebVTT and SubRip, of which either may hold the other's times. Cues that make no sense are left out; what is no
 * captions file at all gives none. Strangers write these files, so one pass over the text is all that it takes: a
 * library's patterns took 56 s for 100 kB of spaces before an arrow.
 */
export function parseCaptions(text: string): Segment[] {
  const lines = text.slice(0, TEXT_MAX_CHARS).split(/\r\n|\r|\n/);
  const cues: Segment[] = [];
  for (let at = 0; at < lines.length; at++) {
    const times = parseTimes(lines[at] ?? "");
    if (times === null) continue;
    const words: string[] = [];
    while (at + 1 < lines.length && isCueText(lines[at + 1] ?? "")) words.push(lines[++at] ?? "");
    // Some files leave out the empty line before the next cue's number.
    if (parseTimes(lines[at + 1] ?? "") !== null && /^\s{0,9}\d{1,9}$/.test(words.at(-1) ?? ""))
      words.pop();
    if (times.endMs >= times.startMs) cues.push({ ...times, text: toPlainText(words.join("\n")) });
  }
  return tidySegments(cues);
}

const ARROW = "-->";

function isCueText(line: string): boolean {
  return line.trim() !== "" && !line.includes(ARROW);
}

/** `00:01.500 --> 00:03.000 line:90%`; null for any other line. */
function parseTimes(line: string): { startMs: number; endMs: number } | null {
  const arrowAt = line.indexOf(ARROW);
  if (arrowAt < 0) return null;
  const startMs = toMs(line.slice(0, arrowAt).trim());
  const endMs = toMs(
    line
      .slice(arrowAt + ARROW.length)
      .trimStart()
      .slice(0, TIME_MAX_CHARS),
  );
  return startMs === null || endMs === null ? null : { startMs, endMs };
}

const TIME_MAX_CHARS = 20;
const TIME = /^(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})(?=\s|$)/;

function toMs(time: string): number | null {
  const parts = TIME.exec(time.slice(0, TIME_MAX_CHARS));
  if (parts === null) return null;
  const [, hours = "0", minutes = "0", seconds = "0", fraction = "0"] = parts;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return whole * 1000 + Number(fraction.padEnd(3, "0"));
}

/** What is said, without the tags for voice, colour and karaoke times. */
function toPlainText(text: string): string {
  return toCharacters(withoutTags(text.replace(/\{\\[^{}]{0,100}\}/g, "")));
}

function withoutTags(text: string): string {
  const lastEnd = text.lastIndexOf(">");
  const parts: string[] = [];
  let from = 0;
  for (let at = text.indexOf("<"); at >= 0 && at < lastEnd; at = text.indexOf("<", at)) {
    // Not a tag: "3 < 4".
    if (!/[a-z\d/]/i.test(text.charAt(at + 1))) {
      at++;
      continue;
    }
    parts.push(text.slice(from, at));
    from = text.indexOf(">", at) + 1;
    at = from;
  }
  return [...parts, text.slice(from)].join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  lrm: "",
  rlm: "",
};

function toCharacters(text: string): string {
  return text.replace(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z]{2,6});/gi, (entity, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name.toLowerCase()] ?? entity;
    const isHex = /^#x/i.test(name);
    const code = isHex ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : "";
  });
}
