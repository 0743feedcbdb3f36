/** Milliseconds to the seconds of public JSON; the only place that converts. */
export function toSeconds(ms: number): number {
  return Math.round(ms) / 1000;
}
