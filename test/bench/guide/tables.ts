import { type Bar, toBarText, toMeasuredText, toVerdict } from "./bars.ts";

/** Figures of several sides beside each other. NaN where a side has none. */
export interface Table {
  title: string;
  columns: readonly string[];
  /** By name, with its unit. */
  rows: Record<string, readonly number[]>;
}

/** What a part of the benchmark found. */
export interface PartResult {
  tables: Table[];
  bars: Bar[];
  checks: Record<string, string | number | boolean>;
}

export function toTableText({ title, columns, rows }: Table): string {
  const cells = Object.entries(rows).map(([name, values]) => [`  ${name}`, ...values.map(format)]);
  return `${title}\n${toText([["", ...columns], ...cells], { alignsRight: true })}`;
}

/** The table of the issue. */
export function toBarsText(bars: readonly Bar[]): string {
  const rows = bars.map((bar) => [bar.figure, toBarText(bar), toMeasuredText(bar), toVerdict(bar)]);
  return toText([["figure", "bar", "measured", ""], ...rows], { alignsRight: false });
}

/** For one object of all figures: `clipmill_redis_cpu_ms_a_post`. */
export function toFigures(tables: readonly Table[]): Record<string, number> {
  const entries = tables.flatMap(({ columns, rows }) =>
    Object.entries(rows).flatMap(([row, values]) =>
      columns.map((column, at): [string, number] => [
        toName(`${column} ${row}`),
        values[at] ?? Number.NaN,
      ]),
    ),
  );
  return Object.fromEntries(entries.filter(([, value]) => !Number.isNaN(value)));
}

function toName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll("'s", "")
    .replaceAll("%", "percent")
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "");
}

/** Three digits that count, and no more. */
function format(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function toText(
  rows: readonly (readonly string[])[],
  { alignsRight }: { alignsRight: boolean },
): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  const toCell = (cell: string, at: number) =>
    alignsRight && at > 0 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0);
  return rows.map((row) => row.map(toCell).join("  ").trimEnd()).join("\n");
}
