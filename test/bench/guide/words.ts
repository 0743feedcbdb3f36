const WORDS = (
  "apple river window copper seven yellow garden market paper stone violin candle orange harbor " +
  "mountain pencil summer winter bridge forest silver button kitchen ladder meadow needle ocean " +
  "pepper quartz ribbon saddle timber umbrella valley walnut canyon dragon engine feather goblet"
).split(" ");
const WORDS_PER_LINE = 6;
const LINE_SECONDS = 3;

export interface SpokenLine {
  start: number;
  end: number;
  text: string;
}

/** What the speech server says it heard: two words a second, always the same for the same sound. */
export function toWords(seed: number, seconds: number): SpokenLine[] {
  let state = seed >>> 0;
  const next = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return WORDS[(state >>> 16) % WORDS.length] ?? "";
  };
  const count = Math.max(1, Math.floor(seconds / LINE_SECONDS));
  return Array.from({ length: count }, (_, n) => ({
    start: n * LINE_SECONDS,
    end: Math.min(seconds, (n + 1) * LINE_SECONDS),
    text: ` ${Array.from({ length: WORDS_PER_LINE }, next).join(" ")}.`,
  }));
}
