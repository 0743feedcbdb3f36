/** Of this many pairs of bytes, the zeros of UTF-16 are counted. */
const SAMPLE_PAIRS = 512;

/**
 * The encoding that the first bytes of a text tell of: by its byte order mark, or by the zeros that ASCII has in UTF-16.
 * Null where they tell nothing, which is UTF-8 in all likelihood. `utf-32` is a name that no TextDecoder knows.
 */
export function findEncoding(
  head: Uint8Array,
): "utf-8" | "utf-16le" | "utf-16be" | "utf-32" | null {
  const [a, b, c, d] = head;
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe)) {
    return "utf-32";
  }
  if (a === 0xff && b === 0xfe) return "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  const pairs = Math.min(SAMPLE_PAIRS, Math.floor(head.length / 2));
  if (pairs < 2) return null;
  let [first, second] = [0, 0];
  for (let pair = 0; pair < pairs; pair++) {
    if (head[2 * pair] === 0) first++;
    if (head[2 * pair + 1] === 0) second++;
  }
  // Text of other scripts has fewer zeros, but links are ASCII; zeros in both places are no text.
  if (second >= pairs * 0.4 && first < pairs * 0.1) return "utf-16le";
  if (first >= pairs * 0.4 && second < pairs * 0.1) return "utf-16be";
  return null;
}

/** A small text in whichever of UTF-8 and UTF-16 it is, without its byte order mark. */
export function decodeText(bytes: Uint8Array): string {
  const encoding = findEncoding(bytes);
  return new TextDecoder(encoding === "utf-32" || encoding === null ? "utf-8" : encoding).decode(
    bytes,
  );
}
