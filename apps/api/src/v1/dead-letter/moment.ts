import { z } from "zod";

const FIRST_MS = Date.parse("1970-01-01T00:00:00.000Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * An ISO 8601 moment with its offset, which becomes one of UTC with milliseconds. ISO has a year 0 and offsets of 23 hours;
 * Postgres has neither.
 */
export const Moment = z.iso
  .datetime({ offset: true, abort: true })
  .refine((text) => isWithin(Date.parse(text)), "a moment of the years 1970 to 9999")
  .transform((text) => new Date(text).toISOString());

function isWithin(ms: number): boolean {
  return ms >= FIRST_MS && ms <= LAST_MS;
}
