/**
 * Text from outside, safe on a terminal: escape sequences could move the cursor, set the title or hide what was
 * printed, and direction marks reorder it.
 */
export function toPrintable(text: string): string {
  return text.replace(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t" ? character : "",
  );
}

/** Whole seconds with one decimal. */
export function toSecondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** Dollars; `*` where the price is not real. */
export function toCostText(usd: number, simulated: readonly string[]): string {
  return `$${usd.toFixed(4)}${simulated.length > 0 ? "*" : ""}`;
}
