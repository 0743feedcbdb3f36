import { rankName } from "./link-names.ts";

export interface CsvDialect {
  delimiter: string;
  /** Lines that stand before the first row: empty ones, and `sep=;`. */
  skipLines: number;
}

const DELIMITERS = [",", ";", "\t", "|"];

/** How a CSV is written, by its first lines: `sep=;` says it, else the delimiter that parts the first row best. */
export function findDialect(head: string): CsvDialect {
  const lines = head.split("\n");
  const first = lines.findIndex((line) => line.trim() !== "");
  if (first === -1) return { delimiter: ",", skipLines: 0 };
  const named = /^\ufeff?"?sep=(.)"?\s*$/i.exec(lines[first] ?? "")?.[1];
  if (named !== undefined) return { delimiter: named, skipLines: first + 1 };
  return { delimiter: chooseDelimiter(lines[first] ?? ""), skipLines: 0 };
}

/** One by which a column is named like a link; else the one that stands there most often. */
function chooseDelimiter(row: string): string {
  const unquoted = row.replace(/"[^"]*"/g, (quoted) => quoted.replace(/[,;\t|]/g, " "));
  const scored = DELIMITERS.map((delimiter, index) => {
    const cells = unquoted.split(delimiter);
    const hasName = cells.some((cell) => Number.isFinite(rankName(cell)));
    return { delimiter, score: cells.length - 1 + (hasName && cells.length > 1 ? 1e6 : 0), index };
  });
  scored.sort((a, b) => b.score - a.score || a.index - b.index);
  return scored[0]?.delimiter ?? ",";
}
