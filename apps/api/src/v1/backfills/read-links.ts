import type { Readable } from "node:stream";
import { UnrecoverableError } from "@clipmill/domain";
import { type CsvError, parse } from "csv-parse";
import { z } from "zod";

/** How a list of links is written, by media type. */
export const LIST_TYPES = ["text/plain", "application/x-ndjson", "text/csv"] as const;
export type ListType = (typeof LIST_TYPES)[number];

/** The text of a link, unchecked; null for an item that holds none. */
export type LinkText = string | null;

/** Share text with a caption of 4,000 characters fits; a longer line is no link. */
const LINE_MAX_CHARS = 10_000;
const URL_COLUMN = "url";

/**
 * Reads a list of any length as it arrives, in the pieces that it arrives in. Empty lines are no items.
 * Throws UnrecoverableError `invalid_request` for a CSV without the column `url` or that cannot be parsed.
 */
export function readLinks(body: Readable, type: ListType): AsyncIterable<LinkText[]> {
  switch (type) {
    case "text/plain":
      return mapLines(body, (line) => line);
    case "application/x-ndjson":
      return mapLines(body, toLinkOfJson);
    case "text/csv":
      return readCsv(body);
  }
}

async function* mapLines(
  body: Readable,
  toLink: (line: string) => LinkText,
): AsyncGenerator<LinkText[]> {
  let rest = "";
  const decoder = new TextDecoder();
  const toLinks = (lines: readonly string[]) =>
    lines
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .map((line) => (line.length > LINE_MAX_CHARS ? null : toLink(line)));
  for await (const bytes of body as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    // Cut, so that a body without line ends does not gather in memory; what is left is too long all the same.
    rest = (lines.pop() ?? "").slice(0, LINE_MAX_CHARS + 1);
    yield toLinks(lines);
  }
  yield toLinks([rest + decoder.decode()]);
}

const JsonItem = z.union([z.string(), z.object({ url: z.string() }).transform(({ url }) => url)]);

/** A string, or an object with `url`. */
function toLinkOfJson(line: string): LinkText {
  try {
    return JsonItem.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

const CSV_BATCH = 500;

async function* readCsv(body: Readable): AsyncGenerator<LinkText[]> {
  let column = -1;
  const parser = parse({
    bom: true,
    max_record_size: 10 * LINE_MAX_CHARS,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  });
  // Also ends the parser when the upload breaks off, which `pipe` would leave waiting.
  body.once("error", (error) => parser.destroy(error));
  body.pipe(parser);
  let batch: LinkText[] = [];
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      if (column === -1) {
        column = findColumn(record);
        continue;
      }
      const text = record[column] ?? "";
      batch.push(text === "" || text.length > LINE_MAX_CHARS ? null : text);
      if (batch.length === CSV_BATCH) {
        yield batch;
        batch = [];
      }
    }
  } catch (error) {
    throw isCsvError(error)
      ? new UnrecoverableError("invalid_request", `the CSV cannot be parsed: ${error.code}`)
      : error;
  }
  yield batch;
}

function findColumn(header: readonly string[]): number {
  const column = header.findIndex((name) => name.toLowerCase() === URL_COLUMN);
  if (column !== -1) return column;
  throw new UnrecoverableError(
    "invalid_request",
    `the CSV's first row names no column ${URL_COLUMN}`,
  );
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && "code" in error && String(error.code).startsWith("CSV_");
}
