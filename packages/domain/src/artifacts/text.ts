/** Unicode-normalised with single spaces: two engines that differ only there give one hash. */
export function normalizeText(text: string): string {
  return text.normalize("NFC").replace(/\s+/gu, " ").trim();
}
