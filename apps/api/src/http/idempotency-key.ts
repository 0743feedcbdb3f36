import { UnrecoverableError } from "@clipmill/domain";

export const IDEMPOTENCY_KEY_HEADER = "idempotency-key";
const MAX_LENGTH = 255;

/**
 * The key that a client chose, bare or as the draft's structured string (`"…"`): both spellings are one key.
 * Throws UnrecoverableError `invalid_request`.
 */
export function parseIdempotencyKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  const key = toKey(header.trim());
  if (key === null || key === "" || key.length > MAX_LENGTH) {
    throw new UnrecoverableError(
      "invalid_request",
      `the header ${IDEMPOTENCY_KEY_HEADER} takes 1 to ${MAX_LENGTH} visible ASCII characters`,
    );
  }
  return key;
}

function toKey(text: string): string | null {
  if (!text.startsWith('"')) return /^[\x21-\x7e]+$/.test(text) ? text : null;
  const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/.exec(text);
  return quoted?.[1]?.replace(/\\(.)/g, "$1") ?? null;
}
