import { cleanText } from "@clipmill/domain";
import { z } from "zod";

/**
 * Fields of a payload that somebody else writes: anything may be missing, null or of another type, and then counts
 * as not told. Only an explicit, sane value is taken.
 */

const MAX_TEXT_LENGTH = 10_000;
export const looseText = z
  .unknown()
  .transform((value) =>
    typeof value === "string" || typeof value === "number"
      ? cleanText(String(value), MAX_TEXT_LENGTH).trim()
      : "",
  );

export const looseTextOrNull = looseText.transform((text) => (text === "" ? null : text));

/** A number, or digits in a string. Abbreviations such as `1.2M` are not exact and count as not told. */
export const looseNumber = z.unknown().transform((value) => {
  const number =
    typeof value === "string" && /^\s{0,99}\d{1,15}(\.\d{1,9})?\s{0,99}$/.test(value)
      ? Number(value)
      : value;
  return typeof number === "number" && Number.isFinite(number) && number >= 0 ? number : null;
});

export const looseCount = looseNumber.transform((number) =>
  number !== null && Number.isSafeInteger(number) ? number : null,
);

const DAY_SECONDS = 86_400;

/** Seconds of a length, also fractions, as whole ms. TikTok takes an hour at most: what is over a day is no length. */
export const looseDurationMs = looseNumber.transform((seconds) =>
  seconds !== null && seconds <= DAY_SECONDS ? Math.round(seconds * 1000) : null,
);

/** TikTok opened in 2016, as musical.ly in 2014; what is older or in the far future is no date. */
const FIRST_SECOND = 1_388_534_400;
const LAST_SECOND = 4_102_444_800;

/** A moment as an ISO time: from Unix seconds, Unix ms, or an ISO time. Null for what is no date of a post. */
export const looseMoment = z.unknown().transform((value) => {
  const seconds = toUnixSeconds(value);
  const isDate = seconds !== null && seconds >= FIRST_SECOND && seconds <= LAST_SECOND;
  return isDate ? new Date(seconds * 1000).toISOString() : null;
});

function toUnixSeconds(value: unknown): number | null {
  const number = looseNumber.parse(value);
  if (number !== null) return Math.floor(number > LAST_SECOND ? number / 1000 : number);
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d[T ]/.test(value)) return null;
  const ms = Date.parse(value.slice(0, 40));
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

export const looseFlag = z
  .unknown()
  .transform((value) =>
    value === true || value === 1 || value === "true" || value === "1"
      ? true
      : value === false || value === 0 || value === "false" || value === "0"
        ? false
        : null,
  );

const MAX_LINK_LENGTH = 4_000;

/** An absolute http(s) link, blanks around it left off; whether it may be fetched is for the fetcher to say. */
export const looseLink = z.unknown().transform(toLink);

function toLink(value: unknown): string | null {
  if (typeof value !== "string" || value.length > MAX_LINK_LENGTH) return null;
  const link = value.trim();
  return /^https?:\/\//i.test(link) && URL.canParse(link) ? link : null;
}

/** More than TikTok takes into a slideshow. */
const LINKS_MAX = 100;

/** The links of pictures among the entries, in order: each a link, or an object that holds one. No list is an empty one. */
export const looseLinks = z.unknown().transform((value) =>
  (Array.isArray(value) ? value : [])
    .slice(0, LINKS_MAX)
    .map((entry) => findLink(entry, 0))
    .filter((link) => link !== null),
);

/** Where sources put the link of a picture, in this order. */
const LINK_NAMES = ["url", "url_list", "urlList", "display_image", "imageURL", "image", "src"];
const LINK_DEPTH_MAX = 3;

function findLink(value: unknown, depth: number): string | null {
  if (typeof value !== "object" || value === null) return toLink(value);
  if (depth === LINK_DEPTH_MAX) return null;
  const inner = Array.isArray(value)
    ? value.slice(0, LINKS_MAX)
    : LINK_NAMES.map((name) => (Object.hasOwn(value, name) ? Reflect.get(value, name) : null));
  for (const each of inner) {
    const link = findLink(each, depth + 1);
    if (link !== null) return link;
  }
  return null;
}

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
