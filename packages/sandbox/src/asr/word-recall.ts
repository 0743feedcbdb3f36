/**
 * The share of `expected`'s words that `actual` has in the same order, 0 to 1, regardless of case and punctuation.
 * Words that were added cost nothing: a recogniser that hears "the" twice has still heard the sentence. 1 where nothing is expected.
 */
export function wordRecall(expected: string, actual: string): number {
  const wanted = toWords(expected);
  if (wanted.length === 0) return 1;
  return longestCommonSubsequence(wanted, toWords(actual)) / wanted.length;
}

function toWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? [];
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, () => 0);
  for (const word of a) {
    const next = [0];
    for (const [j, other] of b.entries()) {
      const diagonal = (row[j] ?? 0) + 1;
      next.push(word === other ? diagonal : Math.max(row[j + 1] ?? 0, next[j] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
