import { parseUpstreamJson } from "../../http/upstream-json.ts";

/** A summary has under 2,000 characters; models that think aloud before it write a few thousand. */
const TEXT_MAX_CHARS = 100_000;
/** Braces of prose before the answer; each costs a look at the rest of the text. */
const STARTS_MAX = 20;

const FIELDS = ["tldr", "takeaways", "sentiment", "cta"];

/**
 * The summary in a model's text, not checked yet; undefined where there is none. Reads past fences and sentences around the
 * JSON, and takes it as the model meant it: names in any case, a wrapper around the fields, bullets in the takeaways.
 */
export function findSummary(text: string): unknown {
  for (const candidate of findObjects(text.slice(0, TEXT_MAX_CHARS))) {
    const fields = toFields(candidate);
    if (fields !== null) return fields;
  }
  return undefined;
}

/** The text as JSON, else the objects that stand in it, in order. */
function* findObjects(text: string): Generator<unknown> {
  const whole = parseUpstreamJson(text.trim());
  if (whole !== undefined) {
    yield whole;
    return;
  }
  let at = text.indexOf("{");
  for (let starts = 0; at >= 0 && starts < STARTS_MAX; starts++) {
    const end = findObjectEnd(text, at);
    const value = end === null ? undefined : parseUpstreamJson(text.slice(at, end));
    if (value !== undefined) yield value;
    at = text.indexOf("{", value === undefined || end === null ? at + 1 : end);
  }
}

/** Just after the brace that closes the one at `start`; null where none does. */
function findObjectEnd(text: string, start: number): number | null {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (inString && char === "\\") at++;
    else if (char === '"') inString = !inString;
    else if (!inString && char === "{") depth++;
    else if (!inString && char === "}" && --depth === 0) return at + 1;
  }
  return null;
}

function toFields(value: unknown, depth = 0): Record<string, unknown> | null {
  if (typeof value !== "object" || value === null || depth > 2) return null;
  const entries = Object.entries(value).map(([name, field]): [string, unknown] => [
    name.toLowerCase().replace(/[^a-z]/g, ""),
    field,
  ]);
  const fields = Object.fromEntries(entries.filter(([name]) => FIELDS.includes(name)));
  if (Object.keys(fields).length > 0) return tidy(fields);
  for (const [, inner] of entries) {
    const found = toFields(inner, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

const TAKEAWAYS_MAX = 5;

/** Leaves out what is missing, so that the check names it. */
function tidy(fields: Record<string, unknown>): Record<string, unknown> {
  const { tldr, takeaways, sentiment, cta } = fields;
  const list = typeof takeaways === "string" ? takeaways.split("\n") : takeaways;
  return {
    ...fields,
    tldr: toTrimmed(tldr),
    cta: toTrimmed(cta),
    sentiment:
      typeof sentiment === "string" ? sentiment.toLowerCase().replace(/[^a-z]/g, "") : sentiment,
    takeaways: Array.isArray(list)
      ? list
          .map(toTakeaway)
          .filter((each) => each !== "")
          .slice(0, TAKEAWAYS_MAX)
      : list,
  };
}

function toTrimmed(value: unknown): unknown {
  return typeof value === "string" ? value.trim() : value;
}

/** Without its bullet or number; the text of an object with one. */
function toTakeaway(value: unknown): unknown {
  const text =
    typeof value === "object" && value !== null
      ? Object.values(value).find((each) => typeof each === "string")
      : value;
  return typeof text === "string" ? text.trim().replace(/^([-*•]|\d{1,2}[.)])\s+/, "") : text;
}
