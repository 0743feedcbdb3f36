/** What the headers alone cannot answer: ffprobe is asked instead. Never leaves this folder. */
export class NotPlain extends Error {
  override readonly name = "NotPlain";
}

/** Throws NotPlain unless it holds. */
export function insist(condition: boolean): asserts condition {
  if (!condition) throw new NotPlain();
}

/** What was found; throws NotPlain where it was not. */
export function insistOn<T>(found: T | undefined): T {
  if (found === undefined) throw new NotPlain();
  return found;
}
