/** `--name N` of the command line, above 0 unless it may be 0. */
export function numberOption(name: string, fallback: number, { mayBeZero = false } = {}): number {
  const at = process.argv.indexOf(`--${name}`);
  if (at === -1) return fallback;
  const value = Number(process.argv[at + 1]);
  if (Number.isFinite(value) && (value > 0 || (mayBeZero && value === 0))) return value;
  throw new Error(`--${name} takes a number ${mayBeZero ? "from 0 on" : "above 0"}`);
}

export const json = process.argv.includes("--json");

/** `--name WORD` of the command line, one of these; null without it. */
export function wordOption<W extends string>(name: string, words: readonly W[]): W | null {
  const at = process.argv.indexOf(`--${name}`);
  if (at === -1) return null;
  const found = words.find((word) => word === process.argv[at + 1]);
  if (found !== undefined) return found;
  throw new Error(`--${name} takes one of: ${words.join(", ")}`);
}
