import type { Readable } from "node:stream";
import type { ListItem } from "./list-item.ts";
import { readText } from "./list-text.ts";
import type { ListFormat } from "./list-types.ts";
import { readCsv } from "./read-csv.ts";
import { readJson } from "./read-json.ts";
import { readLines } from "./read-lines.ts";

/**
 * Reads a list of any length as it arrives, in the pieces that it arrives in. Each link, and each line that should hold
 * one and does not, is an item; empty lines and comments are none. `charset` is what the caller named, or null.
 * Throws FaultError for what is no list, and FaultError 400 for a table that cannot be read on.
 */
export function readList(
  body: Readable,
  { format, charset }: { format: ListFormat; charset: string | null },
): AsyncGenerator<ListItem[]> {
  const text = readText(body, charset);
  switch (format) {
    case "lines":
      return readLines(text);
    case "csv":
      return readCsv(text);
    case "ndjson":
    case "json":
      return readJson(text);
  }
}
