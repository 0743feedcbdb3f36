import { parseExactJson } from "@clipmill/providers";
import { FaultError } from "../../../http/problem.ts";
import { holdsPost, type ListItem, toItems } from "./list-item.ts";
import { rankName } from "./link-names.ts";
import { mapLines } from "./read-lines.ts";
import { join, takeHead } from "./take-head.ts";

/** An array has no end before its end, so it is held in memory; lines are not. */
const MAX_ARRAY_CHARS = 16_000_000;

/**
 * One JSON value a line, or one array. Strings, numbers and objects are items; of an object the field counts that is
 * named like a link, else the one that is a link. Throws FaultError 400 for a long array.
 */
export async function* readJson(text: AsyncIterable<string>): AsyncGenerator<ListItem[]> {
  const { head, rest } = await takeHead(text);
  const isWhole = /^\s*[[{]/.test(head) && !startsWithObject(head);
  yield* isWhole ? readWhole(head, rest) : mapLines(join(head, rest), toItemsOfLine);
}

/** Whether the first line is an object of its own. What goes on after that line is read as a whole. */
function startsWithObject(head: string): boolean {
  const [first = "", ...others] = head.trimStart().split("\n");
  return others.length > 0 && first.startsWith("{") && tryParse(first) !== undefined;
}

async function* readWhole(head: string, rest: AsyncIterable<string>): AsyncGenerator<ListItem[]> {
  let text = head;
  for await (const piece of rest) {
    text += piece;
    if (text.length > MAX_ARRAY_CHARS) {
      const detail = `a JSON array may have ${MAX_ARRAY_CHARS} characters; send a longer list as application/x-ndjson, one value a line`;
      throw new FaultError({ code: "invalid_request", status: 413, detail });
    }
  }
  const value = tryParse(text);
  const list = value === undefined ? null : findList(value);
  if (list === null) yield* mapLines(join(text), toItemsOfLine);
  else yield list.flatMap((item, index) => toItemsOfValue(index + 1, item));
}

/** An array, the one array of an object (`{"urls": […]}`), or a single value. */
function findList(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  if (typeof value !== "object" || value === null) return [value];
  const arrays = Object.values(value).filter((field) => Array.isArray(field));
  return arrays.length === 1 ? (arrays[0] as unknown[]) : [value];
}

function toItemsOfLine(line: number, text: string): ListItem[] {
  const value = tryParse(text);
  return value === undefined
    ? [{ line, reason: "it is not JSON" }]
    : Array.isArray(value)
      ? value.flatMap((item) => toItemsOfValue(line, item))
      : toItemsOfValue(line, value);
}

function toItemsOfValue(line: number, value: unknown): ListItem[] {
  const text = toText(value);
  if (text !== null) return toItems(line, text);
  if (Array.isArray(value)) return toItemsOfFields(line, value.entries());
  if (typeof value === "object" && value !== null) {
    return toItemsOfFields(line, Object.entries(value));
  }
  return [{ line, reason: "it is no text, number or object" }];
}

function toItemsOfFields(
  line: number,
  fields: Iterable<readonly [name: string | number, value: unknown]>,
): ListItem[] {
  const texts = [...fields].flatMap(([name, value]) => {
    const text = toText(value);
    return text === null ? [] : [{ rank: rankName(String(name)), text }];
  });
  texts.sort((a, b) => a.rank - b.rank);
  const found = texts.find(({ text }) => holdsPost(text)) ?? texts[0];
  return found === undefined || (found.rank === Number.POSITIVE_INFINITY && !holdsPost(found.text))
    ? [{ line, reason: "no field of it is a link; name the field url" }]
    : toItems(line, found.text);
}

/** A number beyond 2^53 that is no integer was written in powers of ten: a rounded id. */
function toText(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value !== "number") return null;
  return Number.isSafeInteger(value) ? String(value) : value.toExponential();
}

/** Undefined for what is no JSON; no JSON stands for it. */
function tryParse(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}
