import { cleanText } from "@clipmill/domain";

/** What `JSON.parse` hands to a reviver since ES2026; TypeScript's library for ES2024 does not know it yet. */
type SourceReviver = (key: string, value: unknown, context: { source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;

/**
 * Parses JSON of strangers. Integers may exceed 2^53: those become strings with all their digits, where a plain parse
 * would change the last ones, and with them the post. All strings are cleaned (`cleanText`): this is where the text of
 * upstreams comes in. Throws SyntaxError, or RangeError for absurdly deep nesting.
 */
export function parseExactJson(text: string): unknown {
  return parseWithSource(text, (_key, value, { source }) => {
    if (typeof value === "string") return cleanText(value);
    const isLong =
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "");
    return isLong ? source : value;
  });
}
