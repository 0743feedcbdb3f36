/** C0 and C1 controls but for tab and line ends. Postgres refuses NUL, and terminals obey others. */
const CONTROLS = /(?![\t\n\r])\p{Cc}/gu;
/** Byte order marks inside a text, and marks that turn the reading direction of all that follows. */
const INVISIBLE = /[\uFEFF\u202A-\u202E\u2066-\u2069]/g;

/**
 * Text of strangers as it may be stored, sent on and shown: without control characters, direction overrides and lone
 * surrogates. Lines stay, and so do the joiners that emoji, Persian and Indic scripts need. `maxChars` cuts it, never
 * through a character of two units. Default: not cut.
 */
export function cleanText(text: string, maxChars = Number.POSITIVE_INFINITY): string {
  return cutText(text, maxChars).toWellFormed().replace(CONTROLS, " ").replace(INVISIBLE, "");
}

/** The first characters of a text, in UTF-16 units: one fewer where the cut would go through a surrogate pair. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const last = text.charCodeAt(maxChars - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? maxChars - 1 : maxChars);
}

/** Cleaned and Unicode-normalised, with single spaces: two engines that differ only there give one hash. */
export function normalizeText(text: string): string {
  return cleanText(text).normalize("NFC").replace(/\s+/gu, " ").trim();
}
