import { Readable } from "node:stream";
import { type CsvError, parse } from "csv-parse";
import { FaultError } from "../../../http/problem.ts";
import { findDialect } from "./csv-dialect.ts";
import { chooseLinkColumn, type LinkColumn } from "./link-column.ts";
import { holdsPost, LINE_MAX_CHARS, type ListItem, toItems } from "./list-item.ts";
import { join, takeHead } from "./take-head.ts";

/** The rows by which the column with the links is chosen. */
const SAMPLE_ROWS = 20;
const BATCH_ROWS = 500;
const MAX_RECORD_CHARS = 10 * LINE_MAX_CHARS;

interface Row {
  cells: string[];
  /** Where it begins. */
  line: number;
}

/**
 * A table with a column of links, parted by commas, semicolons, tabs or pipes. Rows without a cell that is filled are no
 * items. Throws FaultError 400 for a table without such a column, or with a quote that is never closed.
 */
export async function* readCsv(text: AsyncIterable<string>): AsyncGenerator<ListItem[]> {
  const rows = readRows(text);
  const sample: Row[] = [];
  while (sample.length < SAMPLE_ROWS) {
    const { done, value } = await rows.next();
    if (done === true) break;
    sample.push(value);
  }
  const column = chooseLinkColumn(sample.map(({ cells }) => cells));
  if (column === null) return;
  const width = sample[0]?.cells.length ?? 0;
  yield (column.name === null ? sample : sample.slice(1)).flatMap((row) =>
    toRowItems(row, column, width),
  );
  let batch: ListItem[] = [];
  for await (const row of rows) {
    batch.push(...toRowItems(row, column, width));
    if (batch.length < BATCH_ROWS) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

async function* readRows(text: AsyncIterable<string>): AsyncGenerator<Row> {
  const { head, rest } = await takeHead(text);
  const { delimiter, skipLines } = findDialect(head);
  const source = Readable.from(join(head.split("\n").slice(skipLines).join("\n"), rest));
  let endLine = skipLines;
  const parser = parse({
    delimiter,
    // Blanks before a quote are no part of a cell; a tab may be the delimiter.
    ltrim: delimiter !== "\t",
    max_record_size: MAX_RECORD_CHARS,
    // Called where the parser stands, before the row waits to be read; its line goes along as a first cell.
    on_record: (record, { lines }) => {
      endLine = lines + skipLines;
      const breaks = record.join().split("\n").length - 1;
      return [String(endLine - breaks), ...record.map((cell) => cell.trim())];
    },
    record_delimiter: "\n",
    relax_column_count: true,
    // `he said "wow"` is not what the standard has, and what people have.
    relax_quotes: true,
    skip_empty_lines: true,
  });
  source.once("error", (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const [line, ...cells] of parser as AsyncIterable<string[]>) {
      if (cells.some((cell) => cell !== "")) yield { cells, line: Number(line) };
    }
  } catch (error) {
    throw isCsvError(error) ? toCsvFault(error, endLine + 1) : error;
  }
}

function toRowItems({ cells, line }: Row, column: LinkColumn, width: number): ListItem[] {
  const cell = cells[column.index] ?? "";
  const items = toCellItems(cells, cell, { line, column, width });
  const swallowed = cells.some(
    (other) =>
      other !== cell &&
      other.includes("\n") &&
      /(?:^|[\n,;\t|]"?)https?:/m.test(other) &&
      holdsPost(other),
  );
  if (!swallowed) return items;
  const reason =
    "a quote that opens in this row closes lines later, with links between; close it in its own line";
  return [...items, { line, reason }];
}

function toCellItems(
  cells: readonly string[],
  cell: string,
  { line, column, width }: { line: number; column: LinkColumn; width: number },
): ListItem[] {
  if (cells.length !== width && !holdsPost(cell)) {
    // A comma too many, in a title that nobody quoted, moves the link to another column.
    const moved = cells.filter(holdsPost);
    if (moved.length === 1) return toItems(line, moved[0] ?? "");
  }
  if (cell !== "") return toItems(line, cell);
  const where = column.name === null ? `column ${column.index + 1}` : "the column with the links";
  return [{ line, reason: `${where} is empty in this row` }];
}

/** `line`: where the row begins that could not be read. */
function toCsvFault({ code }: CsvError, line: number): FaultError {
  const isOpen = code === "CSV_QUOTE_NOT_CLOSED" || code === "CSV_MAX_RECORD_SIZE";
  const what = isOpen
    ? `a quote of the row that begins in line ${line} is not closed; double it ("") where it is part of the text`
    : `the row that begins in line ${line} cannot be read (${code})`;
  const detail = `the CSV is broken: ${what}`;
  return new FaultError({ code: "invalid_request", status: 400, detail });
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && error.constructor.name === "CsvError";
}
