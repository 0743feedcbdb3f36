export interface Head {
  /** From the start to the end of the first line that is not blank, and maybe further. */
  head: string;
  /** What comes after it. */
  rest: AsyncIterable<string>;
}

/** A text whose first line is longer is judged by this much of it. */
const MAX_HEAD_CHARS = 100_000;

/** The first line of a text that arrives in pieces of any size, together with what arrived with it. */
export async function takeHead(text: AsyncIterable<string>): Promise<Head> {
  const pieces = text[Symbol.asyncIterator]();
  const rest = { [Symbol.asyncIterator]: () => ({ next: () => pieces.next() }) };
  let blankLines = 0;
  let head = "";
  for (;;) {
    const { done, value } = await pieces.next();
    if (done === true) break;
    if (head === "" && value.trim() === "") {
      // Blank lines count, and are not worth their memory.
      blankLines = Math.min(blankLines + value.split("\n").length - 1, MAX_HEAD_CHARS);
      continue;
    }
    const isFirst = head === "";
    head += value;
    if (head.length >= MAX_HEAD_CHARS) break;
    if ((isFirst ? value.trimStart() : value).includes("\n")) break;
  }
  return { head: "\n".repeat(blankLines) + head, rest };
}

/** The text again, as it was. */
export async function* join(...parts: (string | AsyncIterable<string>)[]): AsyncGenerator<string> {
  for (const part of parts) {
    if (typeof part === "string") yield part;
    else yield* part;
  }
}
