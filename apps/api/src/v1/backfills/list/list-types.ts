import { FaultError } from "../../../http/problem.ts";

/** How a list is written. */
export type ListFormat = "lines" | "csv" | "ndjson" | "json";

/** The media types that lists are asked for in. */
export const LIST_TYPES = [
  "text/plain",
  "text/csv",
  "text/tab-separated-values",
  "application/x-ndjson",
  "application/json",
] as const;

/** What programs call the same: Excel on Windows sends CSV as its own type, and `curl -T` names none. */
const FORMATS: ReadonlyMap<string, ListFormat> = new Map([
  ["", "lines"],
  ["application/octet-stream", "lines"],
  ["text/plain", "lines"],
  ["text/csv", "csv"],
  ["text/comma-separated-values", "csv"],
  ["text/tab-separated-values", "csv"],
  ["application/csv", "csv"],
  ["application/vnd.ms-excel", "csv"],
  ["application/x-ndjson", "ndjson"],
  ["application/ndjson", "ndjson"],
  ["application/jsonl", "ndjson"],
  ["application/x-jsonlines", "ndjson"],
  ["application/jsonlines", "ndjson"],
  ["application/json", "json"],
]);

const ACCEPTED =
  "send text/plain (a link a line), text/csv or text/tab-separated-values, application/x-ndjson, or application/json (an array)";

/** Throws FaultError 415, which names the types that are accepted. */
export function toListFormat(contentType = ""): ListFormat {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const format = FORMATS.get(type);
  if (format !== undefined) return format;
  const isCurlDefault = type === "application/x-www-form-urlencoded";
  throw refuseList(
    isCurlDefault
      ? "a form is no list (curl sends this type unless it is told another)"
      : "this type is no list of links",
  );
}

/** The `charset` of a content type, in lower case; null if it names none. */
export function findCharset(contentType = ""): string | null {
  const named = /;\s{0,9}charset\s{0,9}=\s{0,9}"?([\w.:-]{1,40})/i.exec(contentType.slice(0, 500));
  return named?.[1]?.toLowerCase() ?? null;
}

/** What a body is that cannot be read as a list. */
export function refuseList(what: string): FaultError {
  return new FaultError({ code: "invalid_request", status: 415, detail: `${what}; ${ACCEPTED}` });
}
