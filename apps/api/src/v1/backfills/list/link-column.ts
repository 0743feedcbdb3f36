import { FaultError } from "../../../http/problem.ts";
import { rankName } from "./link-names.ts";
import { holdsPost } from "./list-item.ts";

export interface LinkColumn {
  index: number;
  /** What the first row calls it; null where the first row is a row of the list. */
  name: string | null;
}

/**
 * The column with the links, by the first rows of a table: by its name (`url`, `Video Link`, …), or because it is the one
 * that holds links. Throws FaultError 400 where no column or more than one may be meant, with what the first row names.
 */
export function chooseLinkColumn(rows: readonly (readonly string[])[]): LinkColumn | null {
  const [header, ...rest] = rows;
  if (header === undefined) return null;
  const isHeaderless = header.some(holdsPost);
  const data = isHeaderless ? rows : rest;
  const width = Math.max(...rows.map((row) => row.length));
  const columns = Array.from({ length: width }, (_, index) => ({
    index,
    name: isHeaderless ? null : (header[index] ?? ""),
    rank: isHeaderless ? Number.POSITIVE_INFINITY : rankName(header[index] ?? ""),
    links: data.filter((row) => holdsPost(row[index] ?? "")).length,
  }));
  const most = Math.max(...columns.map(({ links }) => links));
  const named = columns.filter(({ rank }) => Number.isFinite(rank));
  named.sort((a, b) => a.rank - b.rank);
  // A column of that name may hold other links, such as the creator's.
  const good = named.find(({ links }) => links > 0 && links >= most / 2);
  if (good !== undefined) return good;
  const holding = columns.filter(({ links }) => links > 0 && links === most);
  if (holding.length > 1 && !isHeaderless) throw refuse(header, "more than one column holds links");
  const chosen = holding[0] ?? named[0];
  if (chosen === undefined) throw refuse(header, "no column holds links of posts");
  return chosen;
}

const MAX_NAMES = 8;

function refuse(header: readonly string[], what: string): FaultError {
  const names = header.slice(0, MAX_NAMES).map((name) => `“${toPlain(name)}”`);
  const more = header.length > MAX_NAMES ? ", …" : "";
  const detail = `${what}; line 1 was read as ${names.join(", ")}${more}: name the column with the links url`;
  return new FaultError({ code: "invalid_request", status: 400, detail });
}

/** The caller's own word, fit for any terminal. */
function toPlain(name: string): string {
  return name.replace(/[^\p{L}\p{N}\p{P}\p{Zs}]/gu, "?").slice(0, 40);
}
