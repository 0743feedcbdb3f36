/** A line of the table at the end: what is measured, what the issue demands, and what came out. */
export interface Bar {
  figure: string;
  /** The most or the least that is allowed; NaN bars cannot be met. */
  bar: { atMost: number } | { atLeast: number };
  /** NaN where it could not be measured. */
  measured: number;
  unit: string;
  /** As many digits after the point. */
  digits: number;
}

/** What a part of the benchmark found. */
export interface PartResult {
  /** By name with unit, as in `BenchReport`. */
  medians: Record<string, number>;
  bars: Bar[];
  checks: Record<string, string | number | boolean>;
}

export function isMet({ bar, measured }: Bar): boolean {
  return "atMost" in bar ? measured <= bar.atMost : measured >= bar.atLeast;
}

export function toBarText({ bar, unit }: Bar): string {
  return "atMost" in bar ? `≤ ${bar.atMost}${unit}` : `≥ ${bar.atLeast}${unit}`;
}

export function toMeasuredText({ measured, digits, unit }: Bar): string {
  return Number.isNaN(measured) ? "not measured" : `${measured.toFixed(digits)}${unit}`;
}

/** The table of the issue. */
export function toTable(bars: readonly Bar[]): string {
  const rows = [
    ["figure", "bar", "measured", ""],
    ...bars.map((bar) => [
      bar.figure,
      toBarText(bar),
      toMeasuredText(bar),
      Number.isNaN(bar.measured) ? "" : isMet(bar) ? "met" : "MISSED",
    ]),
  ];
  const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
