import { z } from "zod";

/**
 * Fields of a payload that somebody else writes: anything may be missing, null or of another type, and then counts
 * as not told. Only an explicit, sane value is taken.
 */

/** Postgres refuses NUL in text, and lone surrogates are no text anywhere. */
const MAX_TEXT_LENGTH = 10_000;
export const looseText = z
  .unknown()
  .transform((value) =>
    typeof value === "string" || typeof value === "number"
      ? String(value).slice(0, MAX_TEXT_LENGTH).replaceAll("\0", "").toWellFormed().trim()
      : "",
  );

export const looseTextOrNull = looseText.transform((text) => (text === "" ? null : text));

/** A number, or digits in a string. Abbreviations such as `1.2M` are not exact and count as not told. */
export const looseNumber = z.unknown().transform((value) => {
  const number =
    typeof value === "string" && /^\s*\d{1,15}(\.\d{1,9})?\s*$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) && number >= 0 ? number : null;
});

export const looseCount = looseNumber.transform((number) =>
  number !== null && Number.isSafeInteger(number) ? number : null,
);

export const looseFlag = z
  .unknown()
  .transform((value) =>
    value === true || value === 1 || value === "true" || value === "1"
      ? true
      : value === false || value === 0 || value === "false" || value === "0"
        ? false
        : null,
  );

/** An absolute http(s) link; whether it may be fetched is for the fetcher to say. */
export const looseLink = z
  .unknown()
  .transform((value) =>
    typeof value === "string" &&
    value.length <= 4_000 &&
    /^https?:\/\//i.test(value) &&
    URL.canParse(value)
      ? value
      : null,
  );

/** The links among the entries, in order; not a list is an empty one. */
export const looseLinks = z
  .unknown()
  .transform((value) =>
    (Array.isArray(value) ? value : [])
      .map((entry) => looseLink.parse(entry))
      .filter((link) => link !== null),
  );

/** An object with these fields, each present; what is no object counts as an empty one. */
export function looseObject<T extends z.ZodRawShape>(shape: T) {
  return z.preprocess((value) => {
    const fields = new Map(
      typeof value === "object" && value !== null ? Object.entries(value) : [],
    );
    // zod runs a field's transform only where the key exists.
    return Object.fromEntries(Object.keys(shape).map((name) => [name, fields.get(name)]));
  }, z.object(shape));
}
