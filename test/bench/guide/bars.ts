/** A line of the table at the end: what is measured, what the issue demands, and what came out. */
export interface Bar {
  figure: string;
  /** The most or the least that is allowed. */
  bar: { atMost: number } | { atLeast: number };
  /** NaN where it could not be measured, which is not met. */
  measured: number;
  unit: string;
  /** So many digits after the point. */
  digits: number;
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

export function toVerdict(bar: Bar): string {
  return Number.isNaN(bar.measured) ? "" : isMet(bar) ? "met" : "MISSED";
}
